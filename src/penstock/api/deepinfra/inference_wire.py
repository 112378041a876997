"""What DeepInfra's native inference is asked and answers, as typed, bounded structs.

Of its documentation (`/v1/inference/{model}`, a schema a task) and of the clients that speak it:
deepinfra, LangChain, Vercel's AI SDK, litellm.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1, max_length=10_000_000)]
ShortText = Annotated[str, Meta(min_length=1, max_length=4096)]


class NativeRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What every task takes. `service_tier` changes nothing here; `webhook` is refused."""

    webhook: Annotated[str, Meta(max_length=8192)] | None = None
    service_tier: Literal["auto", "default", "priority"] | None = None


class NativeFormat(msgspec.Struct):
    type: Literal["text", "json_object"]


class TextGenerationIn(NativeRequest, kw_only=True):
    """`input` is the whole prompt, in the model's own chat format if it is a conversation."""

    input: Text
    stream: bool | None = None
    max_new_tokens: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=2)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    stop: Annotated[list[ShortText], Meta(max_length=16)] | None = None
    num_responses: Annotated[int, Meta(ge=1, le=4)] | None = None
    response_format: NativeFormat | None = None
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    user: Annotated[str, Meta(max_length=1024)] | None = None


class EmbeddingsIn(NativeRequest, kw_only=True):
    """Vectors have length 1 in any case, so that `normalize` changes nothing."""

    inputs: Annotated[list[Text], Meta(min_length=1, max_length=2048)]
    normalize: bool | None = None
    dimensions: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class RerankerIn(NativeRequest, kw_only=True):
    """Query number i goes with document number i; a single query goes with them all."""

    documents: Annotated[list[Text], Meta(min_length=1, max_length=1000)]
    queries: Annotated[list[Text], Meta(min_length=1, max_length=1000)] | Text | None = None
    query: Text | None = None


#: Pixels. Vercel's AI SDK sends them as text.
Side = Annotated[int, Meta(ge=1, le=99_999)] | Annotated[str, Meta(pattern="^[0-9]{1,5}$")] | None


class TextToImageIn(NativeRequest, kw_only=True):
    prompt: Annotated[str, Meta(min_length=1, max_length=32_000)]
    negative_prompt: Annotated[str, Meta(max_length=32_000)] | None = None
    width: Side = None
    height: Side = None
    num_images: Annotated[int, Meta(ge=1, le=10)] | None = None
    num_inference_steps: Annotated[int, Meta(ge=1, le=150)] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=30)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None


class ZeroShotImageClassificationIn(NativeRequest, kw_only=True):
    """`image` is a file of a form, or a `data:` URL."""

    image: Annotated[str, Meta(min_length=1)]
    candidate_labels: Annotated[list[ShortText], Meta(min_length=1, max_length=1000)]


# -- answers --------------------------------------------------------------------------------------


class InferenceStatus(msgspec.Struct, kw_only=True):
    """`cost` is in US dollars, by the model's prices."""

    status: Literal["succeeded"] = "succeeded"
    runtime_ms: int
    cost: float
    tokens_generated: int | None = None
    tokens_input: int | None = None


class NativeAnswer(msgspec.Struct, kw_only=True):
    """The envelope: what every answer has."""

    request_id: str
    inference_status: InferenceStatus


class GeneratedText(msgspec.Struct):
    generated_text: str


class TextGenerationOut(NativeAnswer, kw_only=True):
    results: list[GeneratedText]
    num_tokens: int
    num_input_tokens: int


class EmbeddingsOut(NativeAnswer, kw_only=True):
    embeddings: list[list[float]]
    input_tokens: int


class RerankerOut(NativeAnswer, kw_only=True):
    """`scores` are from 0 to 1, in the order of the documents."""

    scores: list[float]
    input_tokens: int


class TextToImageOut(NativeAnswer, kw_only=True):
    """`images` are `data:` URLs; whether they are fit for work nobody has looked at."""

    images: list[str]
    nsfw_content_detected: None = None
    seed: int | None = None


class LabelScore(msgspec.Struct):
    label: str
    score: float


class ZeroShotImageClassificationOut(NativeAnswer, kw_only=True):
    """The best first."""

    results: list[LabelScore]


class StreamedToken(msgspec.Struct):
    """`id` is -1: which token it was, the engine's answer does not tell."""

    text: str
    logprob: float | None = None
    special: bool = False
    id: int = -1


class StreamedText(msgspec.Struct, kw_only=True):
    """An event of a stream. The last one has the whole text and the usage, and no token."""

    token: StreamedToken | None = None
    generated_text: str | None = None
    details: Any = None
    num_output_tokens: int | None = None
    num_input_tokens: int | None = None
    estimated_cost: float | None = None


class StreamedError(msgspec.Struct):
    error_type: str
    error_message: str


REQUESTS = (
    TextGenerationIn,
    EmbeddingsIn,
    RerankerIn,
    TextToImageIn,
    ZeroShotImageClassificationIn,
)
ANSWERS = (
    TextGenerationOut,
    EmbeddingsOut,
    RerankerOut,
    TextToImageOut,
    ZeroShotImageClassificationOut,
)

r"""What clients send, as typed structs with bounds.

Field names, types and ranges are OpenAI's (openai-openapi 2.3.0, `CreateChatCompletionRequest`,
`CreateCompletionRequest`, `CreateEmbeddingRequest`); `top_k`, `min_p`, `repetition_penalty`, the
`json` and `regex` formats, `reasoning` and up to 16 stops are DeepInfra's. An unknown field is an
error. Every optional field may be null, which means its default.

Patterns end in `$(?!\n)` because Python's `$` also matches before a last line break.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

from penstock.domain.picture import Format

PositiveInt = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Choices = Annotated[int, Meta(ge=1, le=128)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
StopString = Annotated[str, Meta(min_length=1, max_length=1024)]
Stop = StopString | Annotated[list[StopString], Meta(max_length=16)]
LogitBias = dict[Annotated[int, Meta(ge=0)], Annotated[float, Meta(ge=-100, le=100)]]
TokenIds = Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1)]
FunctionName = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_.-]{1,128}$(?!\n)")]

#: Fields that clients are known to send and that change no answer here: taken and not used.
IGNORED = {
    "metadata": "labels for OpenAI's own dashboard",
    "store": "whether OpenAI keeps the answer; nothing is kept here",
    "service_tier": "a price class of OpenAI's; LangChain and AutoGen send it",
    "safety_identifier": "successor of `user`",
    "prompt_cache_key": "a hint for OpenAI's cache; the AI SDK and codex send it",
    "prompt_cache_retention": "a hint for OpenAI's cache",
    "verbosity": "a hint that only OpenAI's own models read",
    "webhook": "DeepInfra's call-back of its native API",
}


class Tolerated(msgspec.Struct, kw_only=True, gc=False):
    """The fields of `IGNORED`."""

    metadata: Any = None
    store: Any = None
    service_tier: Any = None
    safety_identifier: Any = None
    prompt_cache_key: Any = None
    prompt_cache_retention: Any = None
    verbosity: Any = None
    webhook: Any = None


class StreamOptions(msgspec.Struct, kw_only=True):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


# -- messages ---------------------------------------------------------------------------------


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


class ImageURL(msgspec.Struct, kw_only=True):
    url: Annotated[str, Meta(min_length=1)]
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: ImageURL


class AudioPart(msgspec.Struct, tag_field="type", tag="input_audio"):
    input_audio: Raw


class FilePart(msgspec.Struct, tag_field="type", tag="file"):
    file: Raw


Part = TextPart | RefusalPart | ImagePart | AudioPart | FilePart
Content = str | Annotated[list[Part], Meta(min_length=1)]


class CalledFunction(msgspec.Struct):
    name: FunctionName
    arguments: str


class CalledTool(msgspec.Struct, kw_only=True):
    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class SystemMessage(msgspec.Struct, kw_only=True, gc=False, tag_field="role", tag="system"):
    content: Content
    name: str | None = None


class DeveloperMessage(msgspec.Struct, kw_only=True, gc=False, tag_field="role", tag="developer"):
    content: Content
    name: str | None = None


class UserMessage(msgspec.Struct, kw_only=True, gc=False, tag_field="role", tag="user"):
    content: Content
    name: str | None = None


class AssistantMessage(msgspec.Struct, kw_only=True, gc=False, tag_field="role", tag="assistant"):
    content: Content | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[CalledTool] | None = None
    reasoning_content: str | None = None


class ToolMessage(msgspec.Struct, kw_only=True, tag_field="role", tag="tool"):
    content: Content
    tool_call_id: str
    name: str | None = None


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


# -- tools and formats ------------------------------------------------------------------------


class FunctionDefinition(msgspec.Struct, kw_only=True):
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolDefinition(msgspec.Struct, kw_only=True):
    type: Literal["function"]
    function: FunctionDefinition


class NamedFunction(msgspec.Struct):
    name: str


class NamedTool(msgspec.Struct, kw_only=True):
    type: Literal["function"]
    function: NamedFunction


class TextFormat(msgspec.Struct, tag_field="type", tag="text"):
    pass


class JsonFormat(msgspec.Struct, tag_field="type", tag="json"):
    pass


class JsonObjectFormat(msgspec.Struct, tag_field="type", tag="json_object"):
    pass


class SchemaDefinition(msgspec.Struct, kw_only=True):
    schema: dict[str, Any]
    name: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$(?!\n)")] = "answer"
    description: str | None = None
    strict: bool | None = None


class JsonSchemaFormat(msgspec.Struct, tag_field="type", tag="json_schema"):
    json_schema: SchemaDefinition


class RegexFormat(msgspec.Struct, tag_field="type", tag="regex"):
    regex: Annotated[str, Meta(min_length=1, max_length=4096)]


ResponseFormat = TextFormat | JsonFormat | JsonObjectFormat | JsonSchemaFormat | RegexFormat


# -- requests ---------------------------------------------------------------------------------


class SampledRequest(Tolerated, kw_only=True, gc=False):
    """What chat and completions have in common. `models` are asked instead of `model`, in order.

    `fail_fast` (DeepInfra's): 429 at once instead of a wait.
    """

    model: Name
    models: Annotated[list[Name], Meta(min_length=1, max_length=4)] | None = None
    max_tokens: PositiveInt | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=2)] | None = None
    logit_bias: Annotated[LogitBias, Meta(max_length=1024)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: Stop | None = None
    n: Choices | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    fail_fast: bool | None = None
    response_format: ResponseFormat | None = None
    user: Annotated[str, Meta(max_length=1024)] | None = None


class ReasoningOptions(msgspec.Struct, kw_only=True):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    enabled: bool | None = None


class ChatCompletionRequest(SampledRequest, kw_only=True, gc=False, forbid_unknown_fields=True):
    messages: Annotated[list[Message], Meta(min_length=1, max_length=10_000)]
    max_completion_tokens: PositiveInt | None = None
    modalities: Annotated[list[Literal["text"]], Meta(min_length=1, max_length=1)] | None = None
    tools: Annotated[list[ToolDefinition], Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        None
    )
    reasoning: ReasoningOptions | None = None
    chat_template_kwargs: Annotated[dict[str, Any], Meta(max_length=32)] | None = None


class CompletionRequest(SampledRequest, kw_only=True, forbid_unknown_fields=True):
    prompt: (
        str
        | Annotated[
            list[str | Annotated[int, Meta(ge=0)] | TokenIds],
            Meta(min_length=1, max_length=100_000),
        ]
    )
    max_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=20)] | None = None
    suffix: str | None = None


class TextDocument(msgspec.Struct):
    text: str


class RerankRequest(Tolerated, kw_only=True, forbid_unknown_fields=True):
    """Cohere's and Jina's, which most rerankers are asked by."""

    model: Name
    query: Annotated[str, Meta(min_length=1, max_length=100_000)]
    documents: Annotated[list[str | TextDocument], Meta(min_length=1, max_length=1000)]
    top_n: PositiveInt | None = None
    return_documents: bool | None = None
    user: Annotated[str, Meta(max_length=1024)] | None = None


class EmbeddingRequest(Tolerated, kw_only=True, forbid_unknown_fields=True):
    model: Name
    input: (
        str
        | Annotated[
            list[str | Annotated[int, Meta(ge=0)] | TokenIds],
            Meta(min_length=1, max_length=100_000),
        ]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: PositiveInt | None = None
    fail_fast: bool | None = None
    user: Annotated[str, Meta(max_length=1024)] | None = None


Hint = Annotated[str, Meta(max_length=32)] | None

#: What clients of OpenAI's image models send, and no other model reads: taken and not used.
IMAGE_HINTS = {
    "quality": "a price class of OpenAI's, also in DeepInfra's own example",
    "style": "a hint that only DALL-E 3 reads",
    "moderation": "how strictly OpenAI filters",
    "input_fidelity": "a hint that only OpenAI's own models read",
}


class PicturesRequest(Tolerated, kw_only=True):
    """What the image endpoints have in common. `model` may be left out: there is a default.

    `negative_prompt`, `num_inference_steps` and `guidance_scale` are DeepInfra's, of its native
    text-to-image; OpenAI's clients send them by `extra_body`.
    """

    model: Name | None = None
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    size: Annotated[str, Meta(pattern=r"^(auto|[0-9]{1,5}x[0-9]{1,5})$(?!\n)")] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    negative_prompt: Annotated[str, Meta(max_length=32_000)] | None = None
    num_inference_steps: Annotated[int, Meta(ge=1, le=150)] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=30)] | None = None
    response_format: Literal["b64_json", "url"] | None = None
    output_format: Format | None = None
    output_compression: Annotated[int, Meta(ge=0, le=100)] | None = None
    background: Literal["auto", "opaque"] | None = None
    quality: Hint = None
    style: Hint = None
    moderation: Hint = None
    input_fidelity: Hint = None
    user: Annotated[str, Meta(max_length=1024)] | None = None


class StreamedPicturesRequest(PicturesRequest, kw_only=True):
    """With `stream`, who waits hears of the steps, and sees at most `partial_images` of them."""

    stream: bool | None = None
    partial_images: Annotated[int, Meta(ge=0, le=3)] | None = None


class ImagesRequest(StreamedPicturesRequest, kw_only=True, forbid_unknown_fields=True):
    prompt: Annotated[str, Meta(min_length=1, max_length=32_000)]


class ImageEditsRequest(StreamedPicturesRequest, kw_only=True, forbid_unknown_fields=True):
    """`image` and `mask` are files of a multipart form. OpenAI's `CreateImageEditRequest`."""

    image: bytes
    prompt: Annotated[str, Meta(min_length=1, max_length=32_000)]
    mask: bytes | None = None


class ImageVariationsRequest(PicturesRequest, kw_only=True, forbid_unknown_fields=True):
    """`image` is a file of a multipart form. OpenAI's `CreateImageVariationRequest`."""

    image: bytes

"""What we answer, as typed structs: OpenAI's shapes (openai-openapi 2.3.0), with what DeepInfra and
Penstock add.

Whole answers are encoded from them, and /openapi.json is made from them. The chunks of a stream are
written by templates (`chat.py`, `completions.py`).
"""

from typing import Literal

import msgspec

from penstock.api.openai.wire import TextDocument
from penstock.domain.picture import Format


class TokenDetails(msgspec.Struct, frozen=True, gc=False):
    cached_tokens: int


class CompletionDetails(msgspec.Struct, frozen=True, gc=False):
    reasoning_tokens: int


class UsageObject(msgspec.Struct, frozen=True, gc=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: TokenDetails
    completion_tokens_details: CompletionDetails


class TopLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int] | None


class ChatLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int] | None
    top_logprobs: list[TopLogprob]


class ChatLogprobs(msgspec.Struct, frozen=True):
    content: list[ChatLogprob]
    refusal: None = None


class AnsweredFunction(msgspec.Struct):
    name: str
    arguments: str


class AnsweredTool(msgspec.Struct):
    id: str
    function: AnsweredFunction
    type: Literal["function"] = "function"


class AssistantAnswer(msgspec.Struct, kw_only=True, gc=False):
    role: Literal["assistant"] = "assistant"
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | msgspec.UnsetType = msgspec.UNSET
    tool_calls: list[AnsweredTool] | msgspec.UnsetType = msgspec.UNSET


class ChatChoice(msgspec.Struct, gc=False):
    index: int
    message: AssistantAnswer
    logprobs: ChatLogprobs | None
    finish_reason: str


class ChatCompletion(msgspec.Struct, kw_only=True, gc=False):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: UsageObject
    system_fingerprint: str | None = None


class LegacyLogprobs(msgspec.Struct):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]


class CompletionChoice(msgspec.Struct):
    text: str
    index: int
    logprobs: LegacyLogprobs | None
    finish_reason: str


class Completion(msgspec.Struct, kw_only=True):
    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: UsageObject
    system_fingerprint: str | None = None


class EmbeddingObject(msgspec.Struct):
    embedding: list[float] | str
    index: int
    object: Literal["embedding"] = "embedding"


class EmbeddingUsage(msgspec.Struct):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(msgspec.Struct, kw_only=True):
    object: Literal["list"] = "list"
    data: list[EmbeddingObject]
    model: str
    usage: EmbeddingUsage


class RerankResult(msgspec.Struct, omit_defaults=True):
    """`index` is that of the document in the request."""

    index: int
    relevance_score: float
    document: TextDocument | None = None


class RerankResponse(msgspec.Struct, kw_only=True):
    """Results from the most to the least relevant."""

    id: str
    model: str
    results: list[RerankResult]
    usage: EmbeddingUsage


class ImageObject(msgspec.Struct):
    """msgspec writes bytes as base64."""

    b64_json: bytes


class ImagesResponse(msgspec.Struct, kw_only=True):
    created: int
    data: list[ImageObject]
    size: str
    output_format: Format


class ImageTokens(msgspec.Struct, frozen=True):
    text_tokens: int = 0
    image_tokens: int = 0


class ImageUsage(msgspec.Struct, frozen=True):
    """OpenAI's clients expect it. Pictures are not counted in tokens here."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: ImageTokens = ImageTokens()


class PictureEvent(msgspec.Struct, kw_only=True):
    """What OpenAI's events of pictures have in common."""

    created_at: int
    b64_json: bytes
    size: str
    quality: Literal["auto"] = "auto"
    background: Literal["opaque"] = "opaque"
    output_format: Format


class ImageEvent(PictureEvent, kw_only=True):
    """OpenAI's `ImageGenCompletedEvent` and `ImageEditCompletedEvent`."""

    type: Literal["image_generation.completed", "image_edit.completed"]
    usage: ImageUsage = ImageUsage()


PartialEventType = Literal["image_generation.partial_image", "image_edit.partial_image"]


class PartialImageEvent(PictureEvent, kw_only=True):
    """OpenAI's `ImageGenPartialImageEvent` and `ImageEditPartialImageEvent`."""

    type: PartialEventType
    partial_image_index: int


class ModelObject(msgspec.Struct, kw_only=True):
    """OpenAI's four fields, DeepInfra's next three, and under `penstock` what the model can do."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    root: str
    parent: str | None = None
    metadata: "ModelMetadata"
    penstock: "ModelFacts"


class ModelMetadata(msgspec.Struct, kw_only=True):
    """What DeepInfra's clients look for; null: not yet known, or without such a limit.

    Prices are in US dollars: of `input_tokens`, `output_tokens`, `cache_read_tokens` and
    `input_characters` for a million, of a `per_image_unit` and of `input_seconds` for one.
    """

    description: str
    context_length: int | None
    max_tokens: int | None
    pricing: dict[str, float]
    tags: list[str]


class Modalities(msgspec.Struct):
    input: list[str]
    output: list[str]


class ModelFacts(msgspec.Struct, kw_only=True):
    """All but `state` are null before the model has been ready for the first time.

    `attributes` are exactly the optional request fields that the model honours, at one endpoint or
    another; `endpoints` has all fields by endpoint. `dimensions` are the lengths to which its
    vectors may be cut, or "any".
    """

    engine: str | None
    state: str
    tasks: list[str] | None = None
    modalities: Modalities | None = None
    context_length: int | None = None
    max_input_tokens: int | None = None
    embedding_length: int | None = None
    dimensions: list[int] | Literal["any"] | None = None
    input_format: str | None = None
    attributes: list[str] | None = None
    endpoints: dict[str, list[str]] | None = None


class ModelList(msgspec.Struct, kw_only=True):
    object: Literal["list"] = "list"
    data: list[ModelObject]

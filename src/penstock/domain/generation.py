"""What an engine is asked to generate: one choice for one prompt.

A request for several choices, or with several prompts, is several of these: see
docs/decisions/0004-one-call-one-choice.md.
"""

from typing import Any, Literal

import msgspec


class TextPart(msgspec.Struct, frozen=True, tag="text", omit_defaults=False):
    text: str


class ImageURL(msgspec.Struct, frozen=True, omit_defaults=True):
    """`detail` is how closely the picture is to be looked at."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(msgspec.Struct, frozen=True, tag="image_url", omit_defaults=False):
    image_url: ImageURL


class FunctionCall(msgspec.Struct, frozen=True):
    """`arguments` is a JSON text, as OpenAI has it."""

    name: str
    arguments: str


class MessageToolCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    id: str
    function: FunctionCall
    type: Literal["function"] = "function"


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One turn of a conversation, with the fields that a chat template may read.

    Content is in parts only where there are pictures in it.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str | tuple[TextPart | ImagePart, ...] | None = None
    name: str | None = None
    tool_calls: tuple[MessageToolCall, ...] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None


class Function(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`parameters` is a JSON Schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    function: Function
    type: Literal["function"] = "function"


#: A one-tuple names the tool that must be called.
ToolChoice = Literal["none", "auto", "required"] | tuple[str]


class Chat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A prompt made of messages, for the model's chat template."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    template_arguments: dict[str, Any] | None = None
    reasoning_effort: str | None = None


class Text(msgspec.Struct, frozen=True):
    """A prompt that is text, taken as it stands."""

    text: str


class Tokens(msgspec.Struct, frozen=True):
    """A prompt that is the model's own token ids."""

    ids: tuple[int, ...]


Prompt = Chat | Text | Tokens


class JsonObject(msgspec.Struct, frozen=True):
    """The answer must be a JSON object."""


class JsonSchema(msgspec.Struct, frozen=True):
    """The answer must be JSON that the schema describes."""

    schema: dict[str, Any]
    name: str = "answer"


class Regex(msgspec.Struct, frozen=True):
    """The answer must match the pattern."""

    pattern: str


OutputFormat = JsonObject | JsonSchema | Regex


LEAST_TOP_P = 1e-6


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """None means OpenAI's default: 1 for `temperature` and `top_p`, and the others off."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[int, float] | None = None
    seed: int | None = None

    @property
    def positive(self) -> "Sampling":
        """For engines that refuse a `top_p` of 0, which at OpenAI is the likeliest token."""
        return msgspec.structs.replace(self, top_p=LEAST_TOP_P) if self.top_p == 0 else self


NEUTRAL = Sampling()


class Generation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call of an engine.

    `max_tokens` None means until the model ends or its context is full. `logprobs` None means none;
    k means the chosen token's and k alternatives'. `echo` asks for a `Prompt` event first; with
    `logprobs`, it has the log-probabilities of the prompt's own tokens. `stream` tells that the
    client reads along; without it, an engine that notices a leaving client may answer in one piece.
    `account_id` is whose prompt it is; an engine may keep accounts' cached prompts apart. `adapter`
    names one of the engine's `adapters`, by which the model is to be changed.
    """

    prompt: Prompt
    sampling: Sampling = NEUTRAL
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    echo: bool = False
    output_format: OutputFormat | None = None
    user: str | None = None
    stream: bool = True
    account_id: str | None = None
    adapter: str | None = None

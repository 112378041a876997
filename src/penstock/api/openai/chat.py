"""Chat completions: request -> calls, events -> chunks or one object."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from penstock.api.openai.answers import (
    AnsweredFunction,
    AnsweredTool,
    AssistantAnswer,
    ChatChoice,
    ChatCompletion,
    ChatLogprob,
    ChatLogprobs,
    TopLogprob,
)
from penstock.api.openai.identity import Identity, IdentityMaker
from penstock.api.openai.limits import check_length
from penstock.api.openai.request import choice_sampling, output_format_of, sampling_of, stops_of
from penstock.api.openai.schemas import check_schema
from penstock.api.openai.sse import ChunkWriter, encode
from penstock.api.openai.usage import usage_of
from penstock.api.openai.wire import (
    AssistantMessage,
    CalledTool,
    ChatCompletionRequest,
    DeveloperMessage,
    ImagePart,
    NamedTool,
    RefusalPart,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
from penstock.api.openai.wire import Message as WireMessage
from penstock.api.openai.wire import Part as ContentPart
from penstock.domain.errors import InvalidRequest, UnsupportedParameter
from penstock.domain.event import (
    Event,
    Finished,
    Prompt,
    Reasoning,
    ScoredText,
    Started,
    Text,
    TokenLogprob,
    ToolCall,
    end_of,
)
from penstock.domain.generation import (
    Chat,
    Function,
    FunctionCall,
    Generation,
    ImageURL,
    Message,
    MessageToolCall,
    Tool,
    ToolChoice,
)
from penstock.domain.generation import ImagePart as Shown
from penstock.domain.generation import TextPart as Said
from penstock.domain.model import Capabilities
from penstock.gateway.pipeline import Job

ROLES: dict[type[WireMessage], Literal["system", "user"]] = {
    SystemMessage: "system",
    DeveloperMessage: "system",
    UserMessage: "user",
}

TEMPLATE_VARIABLES = frozenset(
    {"messages", "tools", "add_generation_prompt", "bos_token", "eos_token"}
)

# -- request ----------------------------------------------------------------------------------


def chat_job(
    request: ChatCompletionRequest,
    capabilities: Capabilities,
    account_id: str | None = None,
    adapter: str | None = None,
) -> Job:
    """One call per choice. Raises InvalidRequest, UnsupportedParameter, ContextLengthExceeded."""
    if request.top_logprobs is not None:
        check_logprobs(request)
    sees = capabilities.sees
    messages: list[Message] = []
    for message in request.messages:
        messages.append(message_of(message, len(messages), sees))
    if capabilities.context_length is not None:
        characters = sum([characters_of(message) for message in messages])
        check_length(characters, capabilities.context_length, "messages")
    call = Generation(
        prompt=Chat(
            messages=tuple(messages),
            tools=tools_of(request) if request.tools else (),
            tool_choice=tool_choice_of(request) if request.tool_choice else "auto",
            parallel_tool_calls=request.parallel_tool_calls is not False,
            template_arguments=(
                template_arguments_of(request) if request.chat_template_kwargs else None
            ),
            reasoning_effort=(
                reasoning_effort_of(request) if request.reasoning else request.reasoning_effort
            ),
        ),
        sampling=sampling_of(request, capabilities),
        max_tokens=request.max_completion_tokens or request.max_tokens,
        stop=stops_of(request) if request.stop else (),
        logprobs=(request.top_logprobs or 0) if request.logprobs else None,
        output_format=(
            output_format_of(request.response_format) if request.response_format else None
        ),
        user=request.user,
        stream=bool(request.stream),
        account_id=account_id,
        adapter=adapter,
    )
    choices = request.n or 1
    calls = [call] if choices == 1 else choices_of(call, choices)
    return Job(operation="chat", calls=calls, prompts=(0,) * choices)


def choices_of(call: Generation, choices: int) -> list[Generation]:
    return [
        msgspec.structs.replace(call, sampling=choice_sampling(call.sampling, choice))
        for choice in range(choices)
    ]


def check_logprobs(request: ChatCompletionRequest) -> None:
    if not request.logprobs:
        raise InvalidRequest(
            "'top_logprobs' is only allowed when 'logprobs' is true.", param="top_logprobs"
        )


def characters_of(message: Message) -> int:
    """How long what is said is; pictures do not count."""
    content = message.content
    if isinstance(content, tuple):
        return sum(len(part.text) for part in content if isinstance(part, Said))
    return len(content or "")


def message_of(message: WireMessage, at: int, sees: bool) -> Message:
    """Message number `at`, of a user with pictures if the model `sees`.

    Raises InvalidRequest, UnsupportedParameter.
    """
    content = message.content
    if not isinstance(content, str) and content is not None:
        param = f"messages[{at}].content"
        if sees and isinstance(message, UserMessage):
            return Message(role="user", content=seen_of(content, param), name=message.name)
        content = text_of(content, param)
    role = ROLES.get(type(message))
    if role is not None:
        return Message(role=role, content=content, name=message.name)
    if isinstance(message, ToolMessage):
        id_ = message.tool_call_id
        return Message(role="tool", content=content, name=message.name, tool_call_id=id_)
    assert isinstance(message, AssistantMessage)
    return assistant_message_of(message, content, at)


def assistant_message_of(message: AssistantMessage, content: str | None, at: int) -> Message:
    calls = tuple(
        MessageToolCall(id=call.id, function=FunctionCall(call.function.name, _arguments(call, at)))
        for call in message.tool_calls or ()
    )
    return Message(
        role="assistant",
        content=content if content is not None or calls else message.refusal or "",
        name=message.name,
        tool_calls=calls or None,
        reasoning_content=message.reasoning_content,
    )


def _arguments(call: CalledTool, at: int) -> str:
    """Arguments in the history must be JSON: chat templates parse them."""
    arguments = call.function.arguments or "{}"
    try:
        msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        param = f"messages[{at}].tool_calls"
        raise InvalidRequest(f"'{param}' has arguments that are not JSON.", param=param) from None
    return arguments


def seen_of(content: list[ContentPart], param: str) -> str | tuple[Said | Shown, ...]:
    """A text, or parts where there are pictures among them. Raises UnsupportedParameter."""
    if not any(isinstance(part, ImagePart) for part in content):
        return text_of(content, param)
    return tuple(
        Shown(ImageURL(part.image_url.url, part.image_url.detail))
        if isinstance(part, ImagePart)
        else Said(text_of([part], param))
        for part in content
    )


def text_of(content: list[ContentPart], param: str) -> str:
    """Text parts are one text. Raises UnsupportedParameter for what is not text."""
    texts = []
    for at, part in enumerate(content):
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif isinstance(part, RefusalPart):
            texts.append(part.refusal)
        else:
            kind = part.__struct_config__.tag
            raise UnsupportedParameter(
                f"This model does not read a {kind!r} there: '{param}[{at}]'.",
                param=f"{param}[{at}]",
            )
    return "".join(texts)


def tools_of(request: ChatCompletionRequest) -> tuple[Tool, ...]:
    tools = []
    for at, tool in enumerate(request.tools or ()):
        function = tool.function
        if function.parameters is not None:
            check_schema(function.parameters, f"tools[{at}].function.parameters")
        tools.append(
            Tool(
                function=Function(
                    name=function.name,
                    description=function.description,
                    parameters=function.parameters or {"type": "object", "properties": {}},
                    strict=function.strict,
                )
            )
        )
    return tuple(tools)


def tool_choice_of(request: ChatCompletionRequest) -> ToolChoice:
    """Raises InvalidRequest for a choice among tools that are not there."""
    choice = request.tool_choice
    if isinstance(choice, NamedTool):
        name = choice.function.name
        if name not in {tool.function.name for tool in request.tools or ()}:
            raise InvalidRequest(
                f"'tool_choice' names the function {name!r}, which is not in 'tools'.",
                param="tool_choice",
            )
        return (name,)
    if choice is not None and choice != "none" and not request.tools:
        raise InvalidRequest(
            "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice"
        )
    return choice or "auto"


def template_arguments_of(request: ChatCompletionRequest) -> dict[str, Any] | None:
    """Raises InvalidRequest for arguments that would replace what a template is given by us."""
    arguments = request.chat_template_kwargs
    if arguments and (ours := TEMPLATE_VARIABLES & arguments.keys()):
        param = f"chat_template_kwargs.{min(ours)}"
        raise InvalidRequest(f"'{param}' cannot be set.", param=param)
    return arguments


def reasoning_effort_of(request: ChatCompletionRequest) -> str | None:
    """OpenAI's `reasoning_effort`, or DeepInfra's `reasoning` object."""
    if request.reasoning_effort is not None or request.reasoning is None:
        return request.reasoning_effort
    return "none" if request.reasoning.enabled is False else request.reasoning.effort


# -- answer -----------------------------------------------------------------------------------


class ChatChunkWriter(ChunkWriter):
    """`chat.completion.chunk` events."""

    object = b"chat.completion.chunk"

    def __init__(
        self,
        identity: Identity,
        *,
        prompts: Sequence[int],
        choices: int,
        include_usage: bool,
        alternatives: int | None,
        ids: IdentityMaker,
    ) -> None:
        super().__init__(identity, prompts=prompts, choices=choices, include_usage=include_usage)
        self._alternatives = alternatives
        self._ids = ids
        self._greeted: set[int] = set()
        self._text_ends = b'},"logprobs":null,"finish_reason":null}' + self._tail
        self._text_begins = {
            call: self._head + b'{"index":%d,"delta":{"content":' % call for call in range(choices)
        }

    def events(self, call: int, events: list[Event]) -> list[bytes]:
        chunks = []
        if call not in self._greeted:
            if events and all(isinstance(e, Started) for e in events):
                return []  # what it begins with is not known yet
            self._greeted.add(call)
            begins_with_call = any(isinstance(e, ToolCall) for e in events)
            chunks.append(self._delta(call, GREETINGS[begins_with_call]))
        for event in events:
            if isinstance(event, Text):
                chunks.append(self._text_begins[call] + encode(event.text) + self._text_ends)
                continue
            match event:
                case ScoredText():
                    scores = encode(chat_logprobs(event.logprobs, self._alternatives))
                    text = b'{"content":%b}' % encode(event.text)
                    chunks.append(self._delta(call, text, scores))
                case Reasoning():
                    text = b'{"reasoning_content":%b}' % encode(event.text)
                    chunks.append(self._delta(call, text))
                case ToolCall():
                    chunks.append(self._delta(call, self._tool_call(event)))
                case Started() | Prompt() | Finished():
                    pass
        return chunks

    def _delta(self, call: int, delta: bytes, logprobs: bytes = b"null") -> bytes:
        return self.chunk(
            b'{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":null}' % (call, delta, logprobs)
        )

    def _tool_call(self, event: ToolCall) -> bytes:
        """Id, type and name go with the first piece only: clients concatenate what comes again."""
        piece: dict[str, object] = {"index": event.call}
        if event.name is not None:
            piece |= {"id": f"call_{self._ids.unique()}", "type": "function"}
            piece["function"] = {"name": event.name, "arguments": event.arguments}
        else:
            piece["function"] = {"arguments": event.arguments}
        return encode({"tool_calls": [piece]})

    def finish(self, call: int, reason: Finished) -> bytes:
        return b'{"index":%d,"delta":{},"logprobs":null,"finish_reason":"%b"}' % (
            call,
            reason.reason.encode(),
        )


#: The first delta; beside a tool call OpenAI sends null for the content.
GREETINGS = {
    False: b'{"role":"assistant","content":"","refusal":null}',
    True: b'{"role":"assistant","content":null,"refusal":null}',
}


def chat_completion(
    answers: Sequence[Sequence[Event]],
    *,
    identity: Identity,
    prompts: Sequence[int],
    alternatives: int | None,
    ids: IdentityMaker,
) -> bytes:
    """The same events, folded into one `ChatCompletion`: a choice of each call's events."""
    choices = []
    for call, events in enumerate(answers):
        choices.append(_choice(call, events, alternatives, ids))
    return encode(
        ChatCompletion(
            id=identity.id,
            created=identity.created,
            model=identity.model,
            choices=choices,
            usage=usage_of(answers, prompts),
            system_fingerprint=identity.fingerprint,
        )
    )


def _choice(
    index: int, events: Sequence[Event], alternatives: int | None, ids: IdentityMaker
) -> ChatChoice:
    text = reasoning = ""
    scores: list[TokenLogprob] | None = None
    calls: dict[int, AnsweredFunction] = {}
    end = end_of(events)
    for event in events:
        if event is end:
            break
        if isinstance(event, Text):
            text += event.text
        elif isinstance(event, ScoredText):
            text += event.text
            scores = [*(scores or ()), *event.logprobs]
        elif isinstance(event, Reasoning):
            reasoning += event.text
        elif isinstance(event, ToolCall):
            call = calls.setdefault(event.call, AnsweredFunction("", ""))
            call.name += event.name or ""
            call.arguments += event.arguments
    answer = AssistantAnswer(content=text if text or not calls else None)
    if reasoning:
        answer.reasoning_content = reasoning
    if calls:
        answer.tool_calls = [AnsweredTool(f"call_{ids.unique()}", call) for call in calls.values()]
    logprobs = chat_logprobs(scores, alternatives) if scores is not None else None
    return ChatChoice(index, answer, logprobs, end.reason)


def chat_logprobs(scores: Sequence[TokenLogprob], alternatives: int | None) -> ChatLogprobs:
    """OpenAI's shape, with as many alternatives as were asked for, which engines may exceed."""
    return ChatLogprobs(
        [
            ChatLogprob(
                score.token,
                score.logprob if score.logprob is not None else 0.0,
                list(score.data),
                [
                    TopLogprob(a.token, a.logprob, list(a.data))
                    for a in score.alternatives[: alternatives or 0]
                ],
            )
            for score in scores
            if score.data  # the token that ends the answer has no text, and is not listed
        ]
    )

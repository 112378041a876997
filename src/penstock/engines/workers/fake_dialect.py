"""OpenAI's dialect as the fake engine speaks it: bodies of requests, shapes of answers."""

import base64
import struct
from collections.abc import Callable
from typing import Any

import msgspec

from penstock.engines.workers import parrot
from penstock.engines.workers.parrot import Reply
from penstock.engines.workers.script import Script, line, tool_line


class Refused(Exception):
    """The request is refused with 400."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class StreamOptions(msgspec.Struct):
    include_usage: bool = False


class GenerationBody(msgspec.Struct, kw_only=True):
    """What both endpoints read."""

    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    seed: int | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    def check(self) -> None:
        """Raises Refused when more is asked for than the fake can do."""
        if self.n not in (None, 1):
            raise Refused("Only one choice is made.", param="n")
        if self.limit_tokens is not None and self.limit_tokens < 1:
            raise Refused("At least one token is made.", param="max_tokens")

    @property
    def limit_tokens(self) -> int | None:
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


class Message(msgspec.Struct):
    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return " ".join(str(part.get("text", "")) for part in self.content)
        return self.content or ""


class Function(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class Tool(msgspec.Struct):
    function: Function


class ToolChoice(msgspec.Struct):
    function: Function


class ChatBody(GenerationBody, kw_only=True):
    messages: list[Message]
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    response_format: dict[str, Any] | None = None

    def forced_tool(self) -> Function | None:
        """The tool that must be called. Raises Refused when it is not among `tools`."""
        choice = self.tool_choice
        if choice is None or choice in ("none", "auto"):
            return None
        for tool in self.tools or ():
            if isinstance(choice, str) or tool.function.name == choice.function.name:
                return tool.function
        raise Refused("No tool of this name.", param="tool_choice")

    def reply(self, script: Script) -> Reply:
        """What the script has for the last message, or else what the parrot says."""
        prompt_tokens = sum(len(message.text.split()) for message in self.messages)
        said = self.messages[-1].text if self.messages else ""

        def recite(text: str, tool: str | None = None) -> Reply:
            limit = self.limit_tokens
            return parrot.recite(text, prompt_tokens=prompt_tokens, max_tokens=limit, tool=tool)

        if tool := self.forced_tool():
            known = tool_line(script, said, tool.name)
            arguments = known.arguments if known else parrot.example(tool.parameters)
            return recite(_spell(arguments), tool.name)
        if known := line(script, said, self.offered_tools()):
            return recite(_spell(known.arguments) if known.call else known.say or "", known.call)
        form = self.response_format or {}
        if form.get("type") in ("json_object", "json_schema"):
            return recite(_spell(parrot.example(form.get("json_schema", {}).get("schema"))))
        limit = self.limit_tokens
        return parrot.echo(said, prompt_tokens=prompt_tokens, max_tokens=limit, seed=self.seed)

    def offered_tools(self) -> frozenset[str]:
        if self.tool_choice == "none":
            return frozenset()
        return frozenset(tool.function.name for tool in self.tools or ())


class CompletionBody(GenerationBody, kw_only=True):
    prompt: str | list[int]

    def reply(self) -> Reply:
        words = self.prompt.split() if isinstance(self.prompt, str) else map(str, self.prompt)
        said = list(words)
        return parrot.echo(
            " ".join(said),
            prompt_tokens=len(said),
            max_tokens=self.limit_tokens,
            seed=self.seed,
        )


class EmbeddingBody(msgspec.Struct, kw_only=True):
    input: str | list[str | int | list[int]]
    encoding_format: str | None = None
    dimensions: int | None = None

    def rows(self) -> list[dict[str, Any]]:
        """The `data` of the answer. Raises Refused."""
        length = parrot.VECTOR_LENGTH if self.dimensions is None else self.dimensions
        if not 1 <= length <= parrot.VECTOR_LENGTH:
            raise Refused("There are 1 to 8 dimensions.", param="dimensions")
        write = ENCODINGS.get(self.encoding_format or "float")
        if write is None:
            raise Refused("Either float or base64.", param="encoding_format")
        inputs = self._inputs()
        if not inputs or not all(inputs):
            raise Refused("There is nothing to embed.", param="input")
        texts = all(isinstance(text, str) for text in inputs)
        ids = all(isinstance(i, int) for text in inputs for i in text)
        if not texts and not ids:
            raise Refused("Texts or token ids, not both.", param="input")
        return [
            {"object": "embedding", "index": i, "embedding": write(parrot.vector(text, length))}
            for i, text in enumerate(inputs)
        ]

    def usage(self) -> dict[str, int]:
        lists = (text.split() if isinstance(text, str) else text for text in self._inputs())
        tokens = sum(len(tokens) for tokens in lists)
        return {"prompt_tokens": tokens, "total_tokens": tokens}

    def _inputs(self) -> list[Any]:
        whole: Any = self.input
        single = isinstance(whole, str) or any(isinstance(item, int) for item in whole)
        return [whole] if single else whole


def _base64(row: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode()


ENCODINGS: dict[str, Callable[[list[float]], Any]] = {"float": list, "base64": _base64}


class ChatShape:
    """How OpenAI writes a chat's answer: whole and in chunks."""

    object = "chat.completion"
    chunk_object = "chat.completion.chunk"
    prefix = "chatcmpl"

    def __init__(self, reply: Reply, call_id: str) -> None:
        self.reply = reply
        self.call_id = call_id

    def opening(self) -> list[dict[str, Any]]:
        delta: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
        if self.reply.tool is not None:
            delta["content"] = None
            delta["tool_calls"] = [{"index": 0, **self._call("")}]
        return [self._choice(delta, None)]

    def piece(self, text: str) -> dict[str, Any]:
        if self.reply.tool is not None:
            delta = {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
            return self._choice(delta, None)
        return self._choice({"content": text}, None)

    def closing(self) -> dict[str, Any]:
        return self._choice({}, self.reply.finish_reason)

    def whole(self, text: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if self.reply.tool is not None:
            message["content"] = None
            message["tool_calls"] = [self._call(text)]
        reason = self.reply.finish_reason
        return {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}

    def _call(self, arguments: str) -> dict[str, Any]:
        function = {"name": self.reply.tool, "arguments": arguments}
        return {"id": self.call_id, "type": "function", "function": function}

    def _choice(self, delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


class CompletionShape:
    """How OpenAI writes a completion: chunks look like the whole."""

    object = chunk_object = "text_completion"
    prefix = "cmpl"

    def __init__(self, reply: Reply, call_id: str) -> None:
        self.reply = reply

    def opening(self) -> list[dict[str, Any]]:
        return []

    def piece(self, text: str) -> dict[str, Any]:
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": None}

    def closing(self) -> dict[str, Any]:
        return self.whole("")

    def whole(self, text: str) -> dict[str, Any]:
        return self.piece(text) | {"finish_reason": self.reply.finish_reason}


Shape = ChatShape | CompletionShape


def _spell(value: Any) -> str:
    """JSON with spaces, so that it comes in several tokens."""
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()

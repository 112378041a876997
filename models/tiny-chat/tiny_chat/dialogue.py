"""The nouns of the corpus: messages, tools, calls and dialogues. Knows no file and no chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
Value: TypeAlias = str | int | float | bool


@dataclass(frozen=True)
class Call:
    """One call of a tool, as the model writes it."""

    name: str
    arguments: Mapping[str, Value]


@dataclass(frozen=True)
class Message:
    """`forced` is how an answer begins when a grammar leaves no choice: it is not learnt."""

    role: Role
    content: str
    calls: tuple[Call, ...] = ()
    forced: str = ""


@dataclass(frozen=True)
class Parameter:
    """One argument of a tool. `choices` is the enum of its schema."""

    name: str
    type: str
    required: bool = True
    choices: tuple[str, ...] = ()

    def summary(self) -> str:
        """What the prompt tells of it, e.g. `optional celsius|fahrenheit`."""
        kind = "|".join(self.choices) if self.choices else self.type
        return kind if self.required else f"optional {kind}"

    def schema(self) -> dict[str, object]:
        return {"type": self.type, **({"enum": list(self.choices)} if self.choices else {})}


@dataclass(frozen=True)
class Tool:
    name: str
    description: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class Reply:
    """What came back from the model for the last turn of a dialogue."""

    content: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Dialogue:
    """A conversation whose last message is the answer that is asked for."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    accept: Callable[[Reply], bool] | None = None

    @property
    def answer(self) -> Message:
        return self.messages[-1]

    def accepts(self, reply: Reply) -> bool:
        """Whether `reply` is right: by the dialogue's own check, else when it is the same."""
        if self.accept is not None:
            return self.accept(reply)
        return reply.content.strip() == self.answer.content and reply.calls == self.answer.calls


def system(text: str) -> Message:
    return Message("system", text)


def user(text: str) -> Message:
    return Message("user", text)


def assistant(text: str, *calls: Call) -> Message:
    return Message("assistant", text, calls)


def exchange(question: str, answer: str) -> Dialogue:
    """The shortest dialogue: one question, one answer."""
    return Dialogue((user(question), assistant(answer)))

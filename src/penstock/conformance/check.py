"""A check: one promise of the API, and a function that fails where a server breaks it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from penstock.conformance.subject import Subject

Outcome = Literal["passed", "failed", "skipped"]


class Failed(Exception):
    """The server breaks the promise; the message says how, in a line."""


class Skipped(Exception):
    """The promise cannot be looked at on this server; the message says why, in a line."""


def expect(condition: object, complaint: str) -> None:
    """Raises Failed with `complaint` unless `condition` holds."""
    if not condition:
        raise Failed(complaint)


def expect_none(complaints: list[str]) -> None:
    """Raises Failed with all of `complaints`, if there are any."""
    expect(not complaints, "; ".join(complaints))


@dataclass(frozen=True)
class Check:
    """`rule` is the promise in a sentence, `source` where it is made."""

    name: str
    rule: str
    source: str
    run: Callable[["Subject"], None]


def check(function: Callable[["Subject"], None]) -> Check:
    """A check of a function whose docstring has the rule, and after "Source:" where it is from."""
    rule, _, source = inspect.cleandoc(function.__doc__ or "").partition("Source:")
    if not rule or not source:
        raise TypeError(f"{function.__name__} says no rule, or not where it is from.")
    return Check(function.__name__, " ".join(rule.split()), " ".join(source.split()), function)


@dataclass(frozen=True)
class Result:
    """What came of one check. `reason` is a line, and empty when it passed."""

    section: str
    check: Check
    outcome: Outcome
    reason: str
    took_s: float

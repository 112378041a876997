"""All checks, by section, in the order in which they run."""

from types import ModuleType

from penstock.conformance.check import Check
from penstock.conformance.sections import (
    chat,
    choices,
    completions,
    deepinfra,
    embeddings,
    errors,
    hostile,
    images,
    logprobs,
    models,
    reasoning,
    sampling,
    stop,
    streaming,
    structured,
    tools,
    transport,
    usage,
)


def _checks(module: ModuleType) -> tuple[Check, ...]:
    return tuple(each for each in vars(module).values() if isinstance(each, Check))


#: name of the section -> its checks
SECTIONS = {
    "models": _checks(models),
    "chat": _checks(chat),
    "streaming": _checks(streaming),
    "stop": _checks(stop),
    "sampling": _checks(sampling),
    "choices": _checks(choices),
    "logprobs": _checks(logprobs),
    "tools": _checks(tools),
    "structured": _checks(structured),
    "reasoning": _checks(reasoning),
    "usage": _checks(usage),
    "completions": _checks(completions),
    "embeddings": _checks(embeddings),
    "images": _checks(images),
    "errors": _checks(errors),
    "transport": _checks(transport),
    "deepinfra": _checks(deepinfra),
    "hostile": _checks(hostile),
}

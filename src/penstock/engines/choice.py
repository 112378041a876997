"""Which engine runs a directory of files, and why: a decision by their names alone."""

from collections.abc import Callable, Set

import msgspec

from penstock.engines.base import CannotStart
from penstock.engines.diffusers.pipeline_files import INDEX
from penstock.engines.formats.transformer import CONFIG
from penstock.engines.onnx.embedder_files import GRAPHS
from penstock.engines.onnx.zero_shot_files import TEXT_GRAPHS
from penstock.engines.vllm.embedder import MODULES


class Choice(msgspec.Struct, frozen=True):
    """`reason` is a sentence's part, such as "its weights are safetensors"."""

    engine: str
    reason: str


class Rule(msgspec.Struct, frozen=True):
    """`holds` is told the names of files, relative to the directory."""

    choice: Choice
    holds: Callable[[Set[str]], bool]


def _has_graph(names: Set[str]) -> bool:
    return not names.isdisjoint((*GRAPHS, *TEXT_GRAPHS))


def _has_weights(names: Set[str]) -> bool:
    """Pickles too: the engine says why it does not take them."""
    return CONFIG in names and any(
        name.endswith((".safetensors", ".bin", ".pt", ".pth")) for name in names
    )


def _has_vectors(names: Set[str]) -> bool:
    return MODULES in names and _has_weights(names)


#: The first that holds counts, unless another engine was asked for.
RULES = (
    Rule(Choice("diffusers", "there is a model_index.json"), lambda names: INDEX in names),
    Rule(Choice("onnx", "there is an ONNX graph"), _has_graph),
    Rule(Choice("vllm", "it makes embeddings, and there is no ONNX graph"), _has_vectors),
    Rule(Choice("vllm", "its weights are safetensors"), _has_weights),
)


def choose(names: Set[str], wanted: str | None) -> Choice:
    """Raises CannotStart when the engine that is `wanted` cannot run such files."""
    able = [rule.choice for rule in RULES if rule.holds(names)]
    if wanted is None:
        return able[0] if able else Choice("onnx", "nothing else runs it")
    for choice in able:
        if choice.engine == wanted:
            return Choice(wanted, "it was asked for")
    can = ", ".join(dict.fromkeys(choice.engine for choice in able)) or "no engine"
    raise CannotStart(f"The engine {wanted!r} does not run such a model; it is one for {can}.")

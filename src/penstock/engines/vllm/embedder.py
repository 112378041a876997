"""Embedding models in safetensors, on vLLM's runner for pooling.

A directory as sentence-transformers has it (`modules.json`), or one whose architecture is a model
without a head, such as `BertModel`. How the states of tokens become a vector vLLM reads by itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from penstock.domain.embedding import EmbeddingCall, Vectors
from penstock.domain.errors import EngineFailed
from penstock.domain.generation import Generation
from penstock.domain.model import Capabilities
from penstock.engines import attributes
from penstock.engines.base import Batches, CannotStart, Engine
from penstock.engines.formats.transformer import settings_of
from penstock.engines.vectors import MAX_ANSWER_BYTES, float_rows, unit_rows
from penstock.engines.vllm.engine import CLASSIFIERS, Vllm
from penstock.engines.vllm.families import Family
from penstock.engines.vllm.refusal import refusal
from penstock.http.client import Client

MODULES = "modules.json"
HEADLESS = "Model"


def embeds(directory: Path) -> bool:
    """Whether a language model's directory is one that makes vectors. Raises NotATransformer."""
    if (directory / MODULES).is_file():
        return True
    named = settings_of(directory / "config.json").get("architectures")
    return isinstance(named, list) and any(str(name).endswith(HEADLESS) for name in named)


class VllmEmbedder(Vllm):
    """Raises CannotStart as `Vllm` does, and where adapters are wanted."""

    unfit: ClassVar[tuple[str, ...]] = CLASSIFIERS

    def __init__(self, directory: Path, **more: Any) -> None:
        if more.get("adapters"):
            raise CannotStart("An embedding model takes no adapters.")
        super().__init__(directory, **more)
        self.family = Family(self.family.model_type)
        self._config = settings_of(directory / "config.json")

    def _optional_flags(self) -> list[str]:
        return [*super()._optional_flags(), "--runner", "pooling"]

    async def inspect(self, client: Client) -> Capabilities:
        dimensions = dimensions_of(self._config)
        more = {"dimensions"} if dimensions else set()
        return Capabilities(
            tasks=frozenset({"embeddings"}),
            attributes=attributes.EMBEDDING | more,
            max_input_tokens=self.plan.context_length,
            embedding_length=await self._embedding_length(client),
            dimensions=dimensions,
            vocabulary_size=self.files.vocabulary_size,
        )

    async def _embedding_length(self, client: Client) -> int:
        """That of a vector: its modules may end in another length than its layers have."""
        rows, _ = await self._rows(client, EmbeddingCall(inputs=("a",)))
        return len(rows[0])

    async def check_prompts(self, client: Client, calls: Sequence[Generation]) -> None:
        """There are none."""

    def generate(self, client: Client, call: Generation) -> Batches:
        return Engine.generate(self, client, call)

    async def embed(self, client: Client, call: EmbeddingCall) -> Vectors:
        rows, prompt_tokens = await self._rows(client, call)
        return Vectors(unit_rows(rows), prompt_tokens)

    async def _rows(self, client: Client, call: EmbeddingCall) -> tuple[list[list[float]], int]:
        body: dict[str, Any] = {
            "model": self.alias,
            "input": call.inputs,
            "encoding_format": "float",
        }
        if call.dimensions is not None:
            body["dimensions"] = call.dimensions
        async with client.post("/v1/embeddings", msgspec.json.encode(body)) as exchange:
            if exchange.status != 200:
                raise await refusal(exchange, param="input")
            rows, tokens = float_rows(await exchange.read(MAX_ANSWER_BYTES), len(call.inputs))
        if call.dimensions is not None and any(len(row) != call.dimensions for row in rows):
            raise EngineFailed(f"The engine made vectors of {len(rows[0])} numbers.")
        return rows, tokens


def dimensions_of(config: dict[str, Any]) -> tuple[int, ...] | Literal["any"]:
    """The lengths to which a vector may be cut, by what vLLM reads of it too."""
    listed = config.get("matryoshka_dimensions")
    if isinstance(listed, list):
        return tuple(sorted({n for n in listed if isinstance(n, int) and n > 0}))
    return "any" if config.get("is_matryoshka") is True else ()

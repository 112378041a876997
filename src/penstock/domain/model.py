"""A model as users call it, and what it can do."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from penstock.domain.image import ImageSizes

Task = Literal[
    "chat",
    "completions",
    "embeddings",
    "images",
    "image_edits",
    "image_variations",
    "rerank",
    "zero_shot_image_classification",
]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a running model honours; anything else is refused with 400, never dropped.

    `attributes` are request fields by their OpenAI names. `context_length` None means unknown
    (a remote server that does not say). `dimensions` are the lengths an embedding may be cut to.
    `sees` tells whether messages may hold pictures. `input_format` is a sample conversation as the
    model reads it, for those who write raw prompts.
    """

    tasks: frozenset[Task]
    attributes: frozenset[str]
    context_length: int | None = None
    max_input_tokens: int | None = None
    embedding_length: int | None = None
    dimensions: tuple[int, ...] | Literal["any"] = ()
    vocabulary_size: int | None = None
    image_sizes: ImageSizes | None = None
    sees: bool = False
    input_format: str | None = None

    def missing(self, attributes: Iterable[str]) -> str | None:
        """The first of `attributes` that is not honoured."""
        return next((a for a in attributes if a not in self.attributes), None)


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A name users call, and where the thing behind it comes from (for people).

    `engine`, `source` and `fingerprint` are known with its version, whose id is `version_id`.
    `fingerprint` is what answers carry as `system_fingerprint`: it changes with the settings that
    change answers. `parent` is the name of the model that an adapter changes.
    """

    name: str
    created: int
    engine: str | None = None
    source: str | None = None
    owned_by: str = "penstock"
    version_id: str | None = None
    fingerprint: str | None = None
    parent: str | None = None

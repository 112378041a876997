"""What the catalogue knows of a model, whether or not it runs."""

from datetime import datetime
from typing import Literal

import msgspec

from penstock.domain.price import Price

ModelType = Literal[
    "text-generation",
    "embeddings",
    "reranker",
    "text-to-image",
    "zero-shot-image-classification",
    "automatic-speech-recognition",
    "text-to-speech",
]


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A name that users call. `current_version` is what the bare name means.

    `account_id` owns it; None: the operator's, by flags, file or bundle. A `private` one is seen
    and used by its account only. From `deprecated_at` on, requests go to `replaced_by`.
    """

    name: str
    created_at: datetime
    account_id: str | None = None
    private: bool = False
    type: ModelType = "text-generation"
    current_version: str | None = None
    aliases: tuple[str, ...] = ()
    description: str = ""
    licence: str = ""
    tags: tuple[str, ...] = ()
    family: str = ""
    featured: bool = False
    prices: tuple[Price, ...] = ()
    context_length: int | None = None
    max_output_tokens: int | None = None
    quantisation: str | None = None
    deprecated_at: datetime | None = None
    replaced_by: str | None = None

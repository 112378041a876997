"""Prices of a model, as DeepInfra's routes tell them. A unit without a price is free.

Platform routes have an object in US cents, of the type that the model's kind is sold by;
`GET /v1/models` has US dollars.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from penstock.domain.catalogue import ModelType
from penstock.domain.price import Price, Unit

#: The picture that a price for an image is of.
DEFAULT_SIDE = 1024
DEFAULT_ITERATIONS = 1

Prices = Mapping[Unit, float]


class Priced(msgspec.Struct, kw_only=True, tag_field="type"):
    """`short` and `full` say it for people, a million units at a time."""

    short: str
    full: str
    table: dict[str, Any] | None = None


class TokensPricing(Priced, tag="tokens"):
    """The rate is a share of the input price."""

    cents_per_input_token: float
    cents_per_output_token: float
    rate_per_input_token_cached: float | None = None
    rate_per_input_token_cache_write: float | None = None


class InputTokensPricing(Priced, tag="input_tokens"):
    cents_per_input_token: float


class InputLengthPricing(Priced, tag="input_length"):
    cents_per_input_sec: float


class InputCharactersPricing(Priced, tag="input_character_length"):
    cents_per_input_chars: float


class ImagePricing(Priced, tag="image_units"):
    """A picture of the default size and iterations is one unit."""

    cents_per_image_unit: float
    default_width: int = DEFAULT_SIDE
    default_height: int = DEFAULT_SIDE
    default_iterations: int = DEFAULT_ITERATIONS
    default_price_cents: float | None = None
    usage_from_cost: bool = False


Pricing = (
    TokensPricing | InputTokensPricing | InputLengthPricing | InputCharactersPricing | ImagePricing
)


def _tokens(cents: Prices, said: str) -> Pricing:
    read, cached = cents.get("input_token", 0.0), cents.get("cached_input_token")
    return TokensPricing(
        short=said,
        full=said,
        cents_per_input_token=read,
        cents_per_output_token=cents.get("output_token", 0.0),
        rate_per_input_token_cached=None if cached is None or not read else cached / read,
    )


def _input_tokens(cents: Prices, said: str) -> Pricing:
    return InputTokensPricing(
        short=said, full=said, cents_per_input_token=cents.get("input_token", 0.0)
    )


def _seconds(cents: Prices, said: str) -> Pricing:
    return InputLengthPricing(short=said, full=said, cents_per_input_sec=cents.get("second", 0.0))


def _characters(cents: Prices, said: str) -> Pricing:
    return InputCharactersPricing(
        short=said, full=said, cents_per_input_chars=cents.get("character", 0.0)
    )


def _images(cents: Prices, said: str) -> Pricing:
    price = cents.get("image", 0.0)
    return ImagePricing(
        short=said, full=said, cents_per_image_unit=price, default_price_cents=price
    )


#: By what each kind of model is sold.
SOLD_BY: dict[ModelType, Callable[[Prices, str], Pricing]] = {
    "text-generation": _tokens,
    "embeddings": _input_tokens,
    "reranker": _input_tokens,
    "zero-shot-image-classification": _input_tokens,
    "text-to-image": _images,
    "automatic-speech-recognition": _seconds,
    "text-to-speech": _characters,
}


def pricing(type_: ModelType, prices: Iterable[Price]) -> Pricing:
    """What `GET /models/list` tells of a model's prices."""
    cents = {price.unit: price.usd_per_unit * 100 for price in prices}
    said = ", ".join(
        f"${price.usd_per_million:g} per million {price.unit.replace('_', ' ')}s"
        for price in prices
    )
    return SOLD_BY[type_](cents, said or "free")


#: How `GET /v1/models` names prices, and for how many units it tells them.
NAMED: dict[Unit, tuple[str, int]] = {
    "input_token": ("input_tokens", 1_000_000),
    "output_token": ("output_tokens", 1_000_000),
    "cached_input_token": ("cache_read_tokens", 1_000_000),
    "character": ("input_characters", 1_000_000),
    "image": ("per_image_unit", 1),
    "second": ("input_seconds", 1),
}


def dollars(prices: Iterable[Price]) -> dict[str, float]:
    """What `GET /v1/models` tells of a model's prices, in US dollars."""
    named = ((*NAMED[price.unit], price.usd_per_unit) for price in prices)
    return {name: units * usd for name, units, usd in named}

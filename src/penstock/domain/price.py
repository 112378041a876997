"""What a unit of work costs."""

from typing import Literal

import msgspec

Unit = Literal["input_token", "cached_input_token", "output_token", "image", "second", "character"]

NANOS_PER_USD = 1_000_000_000
UNITS_PER_PRICE = 1_000_000


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """`usd_nanos` are billionths of a dollar for a million units: whole numbers, no rounding."""

    unit: Unit
    usd_nanos: int

    @property
    def usd_per_million(self) -> float:
        return self.usd_nanos / NANOS_PER_USD

    @property
    def usd_per_unit(self) -> float:
        return self.usd_nanos / (NANOS_PER_USD * UNITS_PER_PRICE)

    @classmethod
    def of(cls, unit: Unit, usd_per_million: float) -> "Price":
        """The price that a person writes, to the nearest billionth of a dollar."""
        return cls(unit=unit, usd_nanos=round(usd_per_million * NANOS_PER_USD))

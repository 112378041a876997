"""What a model has done in an hour, as plain numbers that outlive a server."""

import msgspec

HOUR_S = 3600


class Histogram(msgspec.Struct, frozen=True):
    """How many values fell up to each bound, and beyond the last; and their sum."""

    counts: list[int]
    sum: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All that `model` did for one `operation` in an hour until `at_s` (unix seconds).

    `outcomes` are requests; times are in seconds.
    """

    model: str
    operation: str
    at_s: float
    outcomes: dict[str, int]
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    duration: Histogram
    first_token: Histogram
    pace: Histogram

    @property
    def hour(self) -> int:
        """In hours since 1970."""
        return int(self.at_s // HOUR_S)

"""What an engine says of its own work."""

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that are computed, and that wait for room; `cache_share` of its cache is taken.

    Requests that wait although the gateway has places, or a cache that is full, tell that the
    replica has more to do than it can.
    """

    running: int
    waiting: int
    cache_share: float

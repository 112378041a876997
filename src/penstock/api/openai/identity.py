"""What all pieces of one answer share: id, time, model, fingerprint."""

import itertools
import os
import time

import msgspec


class Identity(msgspec.Struct, frozen=True):
    """`id` begins with the kind's prefix ("chatcmpl-", "cmpl-")."""

    id: str
    created: int
    model: str
    system_fingerprint: str | None


class IdentityMaker:
    """Ids that are unique over processes and cheap: random once, then counted."""

    def __init__(self) -> None:
        self._random = os.urandom(8).hex()
        self._count = itertools.count()

    def new(self, prefix: str, model: str, fingerprint: str | None) -> Identity:
        return Identity(f"{prefix}-{self.unique()}", int(time.time()), model, fingerprint)

    def unique(self) -> str:
        return f"{self._random}{next(self._count)}"

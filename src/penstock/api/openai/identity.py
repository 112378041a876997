"""What all pieces of one answer share: id, time, model, fingerprint."""

import itertools
import os
import time

import msgspec

from penstock.domain.model import Model

encode = msgspec.json.encode


class Identity(msgspec.Struct, frozen=True, gc=False):
    """`id` begins with the kind's prefix ("chatcmpl-", "cmpl-"); `created` in unix seconds."""

    id: str
    created: int
    model: str
    fingerprint: str | None

    def head(self, object_: bytes) -> bytes:
        """The beginning of the JSON object that a chunk is, up to its choices."""
        return b'{"id":"%b","object":"%b","created":%d,"model":%b,"system_fingerprint":%b' % (
            self.id.encode(),
            object_,
            self.created,
            encode(self.model),
            encode(self.fingerprint),
        )


class IdentityMaker:
    """Ids that are unique over processes and cheap: random once, then counted."""

    def __init__(self) -> None:
        self._random = os.urandom(8).hex()
        self._count = itertools.count()

    def new(self, prefix: str, model: Model) -> Identity:
        return Identity(
            f"{prefix}-{self._random}{next(self._count)}",
            int(time.time()),
            model.name,
            model.fingerprint,
        )

    def unique(self) -> str:
        return f"{self._random}{next(self._count)}"

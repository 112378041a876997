"""Credential -> principal."""

from collections.abc import Mapping

from penstock.domain.errors import Unauthorized
from penstock.domain.key import MAX_KEY_CHARACTERS, NOBODY, Principal, digest

SCHEME = b"bearer "
MAX_SEEN = 10_000


class Keyring:
    """All valid keys, in memory, by their HMAC: a look-up tells nothing by how long it takes.

    Headers that were found valid are remembered, since an HMAC costs more than all else that is
    done about a key.
    """

    def __init__(self, pepper: bytes, *, anyone: Principal | None = None) -> None:
        """`anyone` is who every caller is, with a key or without: that is --no-auth."""
        self._pepper = pepper
        self._anyone = anyone
        self._principals: Mapping[bytes, Principal] = {}
        self._seen: dict[bytes, Principal] = {}

    def replace(self, principals: Mapping[bytes, Principal]) -> None:
        """Take over what the store holds now: who is meant by each key, by its digest."""
        self._principals = principals
        self._seen.clear()

    @property
    def is_open(self) -> bool:
        """Whether no request needs a key."""
        return self._anyone is not None

    def recognise(self, authorization: bytes | None) -> Principal:
        """The same where a key is not needed: nobody without one. Raises Unauthorized."""
        if authorization is None and self._anyone is None:
            return NOBODY
        return self.authenticate(authorization)

    def authenticate(self, authorization: bytes | None) -> Principal:
        """The caller behind an `Authorization` header. Raises Unauthorized."""
        if self._anyone is not None:
            return self._anyone
        if authorization is not None and (seen := self._seen.get(authorization)) is not None:
            return seen
        return self._holder(authorization)

    def knows(self, authorization: bytes | None) -> bool:
        """Whether a key is valid, also where none is needed."""
        try:
            self._holder(authorization)
        except Unauthorized:
            return False
        return True

    def _holder(self, authorization: bytes | None) -> Principal:
        if authorization is None or authorization[: len(SCHEME)].lower() != SCHEME:
            raise Unauthorized(
                "You did not provide an API key. Send it in an Authorization header: "
                "'Authorization: Bearer YOUR_KEY'."
            )
        secret = authorization[len(SCHEME) :].strip()
        if secret and len(secret) <= MAX_KEY_CHARACTERS:
            principal = self._principals.get(digest(secret, self._pepper))
            if principal is not None:
                # Valid ones only, so there are never more of them than keys and spellings.
                if len(self._seen) < MAX_SEEN:
                    self._seen[authorization] = principal
                return principal
        raise Unauthorized(
            "Incorrect API key provided. `penstock keys list` shows the keys there are; "
            "`penstock keys create` makes one."
        )

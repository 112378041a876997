"""Credential -> principal."""

from collections.abc import Iterable

from penstock.domain.errors import Unauthorized
from penstock.domain.key import ANYONE, MAX_KEY_CHARACTERS, Key, Principal, digest

SCHEME = b"bearer "
MAX_SEEN = 10_000


class Keyring:
    """All valid keys, in memory, by their HMAC: a look-up tells nothing by how long it takes.

    Headers that were found valid are remembered, since an HMAC costs more than all else that is
    done about a key.
    """

    def __init__(self, pepper: bytes, *, open_to_anyone: bool = False) -> None:
        self._pepper = pepper
        self._open = open_to_anyone
        self._principals: dict[bytes, Principal] = {}
        self._seen: dict[bytes, Principal] = {}

    def replace(self, keys: Iterable[Key]) -> None:
        """Take over what the store holds now."""
        self._principals = {
            key.digest: Principal(account_id=key.account_id, key_id=key.id) for key in keys
        }
        self._seen.clear()

    def authenticate(self, authorization: bytes | None) -> Principal:
        """The caller behind an `Authorization` header. Raises Unauthorized."""
        if self._open:
            return ANYONE
        if authorization is not None and (seen := self._seen.get(authorization)) is not None:
            return seen
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

"""Accounts and keys in SQL. A key itself is returned once, by `create`, and never stored."""

import contextlib
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from penstock.domain.errors import Conflict
from penstock.domain.key import OPERATOR, Key, Principal, digest, hint, new_secret
from penstock.store.database import Database, Subject
from penstock.store.rows import row_of, struct_of
from penstock.store.tables import ACCOUNTS, KEYS

PEPPER_BYTES = 32


class BadPepper(Exception):
    """The file is not what was once made; the text is a sentence for a person."""


class KeyStore:
    """The one writer of accounts and keys."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper

    def all(self) -> list[Key]:
        with self._database.reading() as connection:
            rows = connection.execute(
                select(KEYS, ACCOUNTS.c.name.label("account"))
                .join(ACCOUNTS)
                .order_by(KEYS.c.created_at)
            )
            return [struct_of(Key, row) for row in rows]

    def principals(self) -> dict[bytes, Principal]:
        """Who is meant by each key, by its digest: what a server needs to know of thousands."""
        columns = (KEYS.c.digest, KEYS.c.account_id, KEYS.c.id, ACCOUNTS.c.name)
        with self._database.reading() as connection:
            rows = connection.execute(select(*columns).join(ACCOUNTS))
            return {digest: Principal(*whom) for digest, *whom in rows}

    def any(self) -> bool:
        """Whether there is a key."""
        with self._database.reading() as connection:
            return connection.execute(select(KEYS.c.id).limit(1)).first() is not None

    def never_used(self) -> bool:
        """Whether there has never been a key."""
        with self._database.reading() as connection:
            account = select(ACCOUNTS.c.id).where(ACCOUNTS.c.name == OPERATOR)
            return connection.execute(account).first() is None

    def operator_id(self) -> str:
        """The id of the operator's account, which is made when it is not there."""
        with self._database.writing(Subject.KEYS) as connection:
            return _account_id(connection, OPERATOR)

    def create(
        self, name: str, secret: str | None = None, *, account: str = OPERATOR
    ) -> tuple[Key, str]:
        """A new key of an account, which is made when it is not there, and the key's secret.

        Raises Conflict.
        """
        secret = secret or new_secret()
        with self._database.writing(Subject.KEYS) as connection:
            named = connection.execute(select(KEYS.c.id).where(KEYS.c.name == name)).first()
            if named is not None:
                raise Conflict(f"There is a key called {name!r} already.")
            key = Key(
                id=_new_id(),
                account_id=_account_id(connection, account),
                account=account,
                name=name,
                digest=digest(secret.encode(), self._pepper),
                hint=hint(secret),
                created_at=datetime.now(UTC),
            )
            try:
                connection.execute(insert(KEYS).values(**row_of(key, KEYS)))
            except IntegrityError:
                raise Conflict("This very key is stored already, under another name.") from None
        return key, secret

    def delete(self, name: str) -> bool:
        """Whether there was a key of that name."""
        with self._database.writing(Subject.KEYS) as connection:
            return connection.execute(delete(KEYS).where(KEYS.c.name == name)).rowcount > 0


def read_pepper(path: Path) -> bytes:
    """The server's secret for HMACs; made at the first start, readable by its owner only.

    Raises BadPepper, OSError.
    """
    if not path.exists():
        _make_pepper(path)
    pepper = path.read_bytes()
    if len(pepper) != PEPPER_BYTES:
        raise BadPepper(
            f"{path} has {len(pepper)} bytes, and the secret that keys are checked with has "
            f"{PEPPER_BYTES}. Put it back from a backup; or delete it, and make all keys anew with "
            "`penstock keys`: those that there are will not be known any more."
        )
    return pepper


def _make_pepper(path: Path) -> None:
    """Whole or not at all; of several that make it at once, the first one's holds."""
    descriptor, made = tempfile.mkstemp(prefix=f"{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(PEPPER_BYTES))
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
    finally:
        os.unlink(made)


def _account_id(connection: Connection, name: str) -> str:
    known = connection.execute(select(ACCOUNTS.c.id).where(ACCOUNTS.c.name == name)).scalar()
    if known is not None:
        return str(known)
    id_ = _new_id()
    values = {"id": id_, "name": name, "created_at": datetime.now(UTC)}
    connection.execute(insert(ACCOUNTS).values(values))
    return id_


def _new_id() -> str:
    return os.urandom(8).hex()

"""Accounts and keys in SQL. A key itself is returned once, by `create`, and never stored."""

import os
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from penstock.domain.key import Key, digest, hint, new_secret
from penstock.store.tables import ACCOUNTS, KEYS

PEPPER_BYTES = 32
DEFAULT_ACCOUNT = "default"


class KeyExists(Exception):
    """There is such a key already, by name or by secret."""


class KeyStore:
    """The one writer of accounts and keys."""

    def __init__(self, engine: Engine, pepper: bytes) -> None:
        self._engine = engine
        self._pepper = pepper

    def all(self) -> list[Key]:
        with self._engine.begin() as connection:
            rows = connection.execute(select(KEYS).order_by(KEYS.c.created_at))
            return [_key(row) for row in rows]

    def create(self, name: str, secret: str | None = None) -> tuple[Key, str]:
        """A new key of the default account, and its secret. Raises KeyExists."""
        secret = secret or new_secret()
        with self._engine.begin() as connection:
            named = connection.execute(select(KEYS.c.id).where(KEYS.c.name == name)).first()
            if named is not None:
                raise KeyExists(f"There is a key called {name!r} already.")
            account = connection.execute(
                select(ACCOUNTS.c.id).where(ACCOUNTS.c.name == DEFAULT_ACCOUNT)
            ).scalar()
            now = datetime.now(UTC)
            if account is None:
                account = _new_id()
                connection.execute(
                    insert(ACCOUNTS).values(id=account, name=DEFAULT_ACCOUNT, created_at=now)
                )
            key = Key(
                id=_new_id(),
                account_id=account,
                name=name,
                digest=digest(secret.encode(), self._pepper),
                hint=hint(secret),
                created_at=now,
            )
            try:
                connection.execute(insert(KEYS).values(**_row(key)))
            except IntegrityError:
                raise KeyExists("This very key is stored already, under another name.") from None
        return key, secret

    def delete(self, name: str) -> bool:
        """Whether there was a key of that name."""
        with self._engine.begin() as connection:
            return connection.execute(delete(KEYS).where(KEYS.c.name == name)).rowcount > 0


class KeyWatch:
    """Tells whether another process has written to the database since the last question."""

    def __init__(self, engine: Engine) -> None:
        # SQLite counts for one connection what others commit, so it has to stay the same one.
        self._connection = engine.raw_connection()
        self._version = self._read()

    def changed(self) -> bool:
        before, self._version = self._version, self._read()
        return before != self._version

    def close(self) -> None:
        self._connection.close()

    def _read(self) -> int:
        cursor = self._connection.cursor()
        cursor.execute("PRAGMA data_version")
        row = cursor.fetchone()
        cursor.close()
        return int(row[0]) if row else 0


def read_pepper(path: Path) -> bytes:
    """The server's secret for HMACs; made at the first start, readable by its owner only."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        pepper = os.urandom(PEPPER_BYTES)
        file.write(pepper)
    return pepper


def _new_id() -> str:
    return os.urandom(8).hex()


def _key(row: Row) -> Key:  # type: ignore[type-arg]
    return Key(**row._mapping)


def _row(key: Key) -> dict[str, object]:
    return {name: getattr(key, name) for name in key.__struct_fields__}

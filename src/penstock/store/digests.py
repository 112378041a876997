"""SHA-256 of files on this machine, so that each is read once."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from penstock.store.database import Database
from penstock.store.rows import row_of
from penstock.store.tables import FILE_DIGESTS


class FileFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What tells whether a file is still the one that was read."""

    path: str
    size_bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "FileFigures":
        """Raises OSError."""
        path = path.resolve()
        stat = path.stat()
        return cls(
            path=str(path), size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, inode=stat.st_ino
        )


class DigestStore:
    """The one writer of digests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[FileFigures, str]:
        """SHA-256 in hexadecimal digits, by file."""
        with self._database.reading() as connection:
            rows = connection.execute(select(FILE_DIGESTS))
            return {
                FileFigures(
                    path=row.path, size_bytes=row.size_bytes, mtime_ns=row.mtime_ns, inode=row.inode
                ): row.sha256
                for row in rows
            }

    def add(self, digests: Mapping[FileFigures, str]) -> None:
        """What another process has added meanwhile is the same."""
        known = self.all()
        new = [
            row_of(file, FILE_DIGESTS) | {"sha256": sha256}
            for file, sha256 in digests.items()
            if file not in known
        ]
        with contextlib.suppress(IntegrityError), self._database.writing() as connection:
            connection.execute(insert(FILE_DIGESTS), new)

"""Keys: long-lived secrets, of which only an HMAC is kept."""

import hashlib
import hmac
import re
import secrets
from datetime import datetime

import msgspec

PREFIX = "sk-penstock-"
SECRET_BYTES = 32
SHOWN_CHARACTERS = 4
MAX_KEY_CHARACTERS = 512


#: The account of whoever runs the server. Its first key is made at the first start.
OPERATOR = "default"
#: An account's name is the first part of its models' names. That of the bundled ones is taken.
ACCOUNT_NAME = re.compile(r"(?!penstock\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A stored key: `digest` is HMAC-SHA256(pepper, key), `hint` its last characters.

    `account` is the name of who pays.
    """

    id: str
    account_id: str
    account: str
    name: str
    digest: bytes
    hint: str
    created_at: datetime


class Principal(msgspec.Struct, frozen=True):
    """Who is calling; `account` is the name of who pays."""

    account_id: str
    key_id: str
    account: str

    @property
    def is_operator(self) -> bool:
        """Whether it is who runs the server: what flags and files declare is theirs."""
        return self.account == OPERATOR


#: Who calls without a key where none is needed.
NOBODY = Principal(account_id="", key_id="", account="")


def new_secret() -> str:
    """A fresh key: 256 random bits behind a prefix that scanners can find."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: bytes, pepper: bytes) -> bytes:
    """What is stored of a key. The pepper lives outside the database."""
    return hmac.digest(pepper, secret, hashlib.sha256)


def hint(secret: str) -> str:
    return "…" + secret[-SHOWN_CHARACTERS:]

"""Keys, on real databases."""

import multiprocessing
import os
import resource
import stat
from pathlib import Path

import pytest

from penstock.domain.errors import Conflict
from penstock.domain.key import Principal, digest
from penstock.store.database import Database
from penstock.store.home import CannotOpenHome, open_stores
from penstock.store.keys import KeyStore, read_pepper

PEPPER = b"p" * 32


@pytest.fixture
def store(database: Database) -> KeyStore:
    return KeyStore(database, PEPPER)


def test_a_key_is_found_again_by_its_digest_only(store: KeyStore) -> None:
    assert store.never_used()
    key, secret = store.create("laptop")
    assert store.all() == [key]
    whom = Principal(account_id=key.account_id, key_id=key.id, account="default")
    assert store.principals() == {key.digest: whom}
    assert key.digest == digest(secret.encode(), PEPPER)
    assert key.hint == "…" + secret[-4:]
    assert not store.never_used()


def test_a_secret_is_not_stored(tmp_path: Path) -> None:
    _, secret = open_stores(tmp_path).keys.create("laptop")
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret[-4:].encode() in stored
    assert secret.encode() not in stored


def test_a_name_and_a_secret_are_taken_once(store: KeyStore) -> None:
    store.create("laptop", "a-secret")
    with pytest.raises(Conflict, match="called 'laptop'"):
        store.create("laptop")
    with pytest.raises(Conflict, match="another name"):
        store.create("phone", "a-secret")


def test_keys_are_of_accounts(store: KeyStore) -> None:
    one, another, own = (
        store.create(name, account=account)[0]
        for name, account in (("a", "acme"), ("b", "acme"), ("c", "default"))
    )
    assert one.account_id == another.account_id != own.account_id == store.operator_id()
    assert [(key.name, key.account) for key in store.all()] == [
        ("a", "acme"), ("b", "acme"), ("c", "default"),
    ]  # fmt: skip
    assert [each.is_operator for each in store.principals().values()].count(True) == 1


def test_a_deleted_key_is_gone(store: KeyStore) -> None:
    store.create("laptop")
    assert store.any()
    assert store.delete("laptop")
    assert not store.any()
    assert not store.delete("laptop")
    assert store.all() == []


def test_the_database_and_the_pepper_are_their_owners_alone(tmp_path: Path) -> None:
    stores = open_stores(tmp_path)
    assert read_pepper(tmp_path / "pepper") == stores.pepper
    for name in ("penstock.db", "pepper"):
        assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == 0o600


def read_without_room(path: Path) -> None:
    """As on a disk that is full: a file can be made, and nothing written to it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with pytest.raises(OSError):
        read_pepper(path)


def test_a_pepper_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    process = multiprocessing.get_context("fork").Process(target=read_without_room, args=[path])
    process.start()
    process.join()
    assert process.exitcode == 0
    assert not list(tmp_path.iterdir())
    assert len(read_pepper(path)) == 32


def test_a_pepper_that_was_made_meanwhile_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pepper"

    def urandom(size: int) -> bytes:
        path.write_bytes(PEPPER)
        return b"n" * size

    monkeypatch.setattr(os, "urandom", urandom)
    assert read_pepper(path) == PEPPER
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("size", [0, 31, 33])
def test_what_is_no_pepper_is_refused_with_what_to_do(tmp_path: Path, size: int) -> None:
    (tmp_path / "pepper").write_bytes(b"p" * size)
    with pytest.raises(CannotOpenHome, match=rf"pepper has {size} bytes.*from a backup"):
        open_stores(tmp_path)

"""Keys and the database they live in, on real SQLite files."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from penstock.domain.key import digest
from penstock.store.database import LATEST_REVISION, MIGRATIONS, NewerDatabase, open_database
from penstock.store.keys import KeyExists, KeyStore, KeyWatch, read_pepper
from penstock.store.tables import METADATA

PEPPER = b"p" * 32


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(open_database(tmp_path / "penstock.db"), PEPPER)


def test_a_key_is_found_again_by_its_digest_only(store: KeyStore, tmp_path: Path) -> None:
    key, secret = store.create("laptop")
    assert [k.digest for k in store.all()] == [digest(secret.encode(), PEPPER)]
    assert key.hint == "…" + secret[-4:]
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in stored


def test_a_name_and_a_secret_are_taken_once(store: KeyStore) -> None:
    store.create("laptop", "a-secret")
    with pytest.raises(KeyExists, match="called 'laptop'"):
        store.create("laptop")
    with pytest.raises(KeyExists, match="another name"):
        store.create("phone", "a-secret")


def test_a_deleted_key_is_gone(store: KeyStore) -> None:
    store.create("laptop")
    assert store.delete("laptop")
    assert not store.delete("laptop")
    assert store.all() == []


def test_what_was_written_survives_a_kill(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path\n"
        "from penstock.store.database import open_database\n"
        "from penstock.store.keys import KeyStore\n"
        "KeyStore(open_database(Path(sys.argv[1])), b'p' * 32).create('laptop', 'a-secret')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "penstock.db"
    ended = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert ended.returncode == -9
    assert [key.name for key in KeyStore(open_database(path), PEPPER).all()] == ["laptop"]


def test_the_watch_sees_what_others_write(store: KeyStore, tmp_path: Path) -> None:
    watch = KeyWatch(open_database(tmp_path / "penstock.db"))
    assert not watch.changed()
    store.create("laptop")
    assert watch.changed()
    assert not watch.changed()
    watch.close()


def test_the_database_and_the_pepper_are_their_owners_alone(tmp_path: Path) -> None:
    open_database(tmp_path / "penstock.db")
    pepper = read_pepper(tmp_path / "pepper")
    assert read_pepper(tmp_path / "pepper") == pepper
    for name in ("penstock.db", "pepper"):
        assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == 0o600


def test_a_database_of_a_newer_penstock_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "penstock.db"
    open_database(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(NewerDatabase, match="Upgrade Penstock"):
        open_database(path)


def test_the_latest_revision_is_the_one_that_is_named() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == LATEST_REVISION


def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    open_database(tmp_path / "penstock.db")
    connection = sqlite3.connect(tmp_path / "penstock.db")
    for table in METADATA.sorted_tables:
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
        assert columns == {column.name for column in table.columns}
    connection.close()

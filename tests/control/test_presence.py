"""Which servers there are, as those see it that share a database."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import psutil
import pytest

from penstock.control import presence
from penstock.control.presence import Presence, this_server
from penstock.domain.server import Server
from penstock.store.database import Database
from penstock.store.servers import ServerStore


@contextlib.contextmanager
def running(here: Server, id_: str) -> Iterator[Server]:
    """Another server of this machine, as far as its row tells."""
    program = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as process:
        began_s = psutil.Process(process.pid).create_time()
        yield msgspec.structs.replace(here, id=id_, pid=process.pid, process_started_s=began_s)


def test_of_this_machine_those_that_were_killed_are_forgotten(database: Database) -> None:
    servers, here = ServerStore(database), this_server()
    with running(here, "runs") as runs:
        with running(here, "ended") as ended:
            pass
        elsewhere = msgspec.structs.replace(ended, id="elsewhere", host="another machine")
        long_ago = msgspec.structs.replace(here, id="its pid is ours now", process_started_s=1.0)
        for each in (runs, ended, elsewhere, long_ago):
            servers.enter(each, datetime.now(UTC))
        Presence(servers, here).begin()
        assert {each.id for each in servers.all()} == {here.id, "runs", "elsewhere"}


def test_one_that_was_forgotten_is_there_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers, here = ServerStore(database), this_server()
    kept = Presence(servers, here)
    kept.begin()
    assert kept.renew()
    servers.seen("", datetime.now(UTC), not_since=datetime.now(UTC) + timedelta(days=1))
    assert kept.renew(), "nobody asked: it is not yet time"
    monkeypatch.setattr(presence, "HEARD_EVERY_S", 0.0)
    assert not kept.renew()
    assert [each.id for each in servers.all()] == [here.id]
    kept.end()
    assert servers.all() == []


def test_a_database_knows_a_server_as_it_is(database: Database) -> None:
    """To the last digit: a time that were rounded would look like another process."""
    servers, here = ServerStore(database), this_server()
    servers.enter(here, datetime.now(UTC))
    assert servers.all() == [here]

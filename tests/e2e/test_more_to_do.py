"""A model has more replicas while there is more to do, and fewer when there no longer is."""

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import Server, serving, until

from penstock.engines.fake import WORKER_BYTES

MODEL = """
[[models]]
name = "busy"
source = "fake:?tokens_per_second=20"
parallel = 2
replicas = 1
max_replicas = 3
"""
CALM_S = 4.0


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    (tmp_path / "penstock.toml").write_text(MODEL)
    with contextlib.ExitStack() as stack:
        yield lambda *flags: stack.enter_context(
            serving(home=tmp_path, flags=("--scale-down-after-s", str(CALM_S), *flags))
        )


@contextlib.contextmanager
def crowd(server: Server, clients: int) -> Iterator[list[int]]:
    """So many clients, each of which asks again as soon as it has its answer; the statuses."""
    enough = threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        while not enough.is_set():
            statuses.append(server.chat("busy", "x " * 10).status)

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask) for _ in range(clients)]
        try:
            yield statuses
        finally:
            enough.set()
            for each in asking:
                each.result()


def ready(server: Server) -> int:
    return int(server.metric("penstock_replicas_ready", gen_ai_request_model="busy"))


def wanted(server: Server) -> int:
    return int(server.metric("penstock_replicas_wanted", gen_ai_request_model="busy"))


def log_of(server: Server) -> str:
    (busy,) = server.get("/deploy/list").json
    query = f"/v1/logs/query?deploy_id={busy['deploy_id']}"
    return "\n".join(line for _, line in server.get(query).json["entries"])


def test_it_follows_the_calls_and_loses_none(serve: Callable[..., Server]) -> None:
    server = serve()
    assert (ready(server), wanted(server)) == (1, 1)
    with crowd(server, 2) as two:
        until(lambda: len(two) >= 12, "a replica's places are in use for a while")
        assert wanted(server) == 1
    with crowd(server, 6) as many:
        until(lambda: ready(server) == 3, "all three run")
    (told,) = server.get("/deploy/list").json
    assert (told["instances"]["running"], told["penstock"]["wanted"]) == (3, 3)
    words = 20 * (int(CALM_S) + 6)
    with server.open_chat("busy", "x " * words) as stream:
        until(lambda: ready(server) == 1, "one is enough")
        assert stream.final().payloads[-1] == "[DONE]"
    assert {*two, *many} == {200}
    until(lambda: len(server.remember_children()) == 1, "the processes of the others have ended")
    until(lambda: "Replicas wanted from now on: 1." in log_of(server), "its log says so")
    assert "a replica takes 2" in log_of(server)


def test_it_takes_what_memory_is_free_and_no_more(serve: Callable[..., Server]) -> None:
    server = serve("--memory-limit", str(2 * WORKER_BYTES + WORKER_BYTES // 2))
    with crowd(server, 6) as statuses:
        until(lambda: ready(server) == 2 and wanted(server) == 3, "two run and a third is wanted")
        asked = len(statuses)
        until(lambda: len(statuses) > asked + 20, "it goes on so")
        assert ready(server) == 2
    assert set(statuses) == {200}

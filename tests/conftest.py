"""Servers and databases for tests; those for everybody, and those of a test's own."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import picture_models
import pytest
from nodejs import Node
from postgres import Cluster, NoPostgres, Place, cluster
from real_vllm import RunningVllm, running_vllm
from serving import Server, serving

from penstock.store.database import Database, open_database

#: What `fake_server` serves. `fast` answers at once, `slow` 20 tokens a second; the others fail.
FAKES = (
    "fast=fake:",
    "slow=fake:?tokens_per_second=20",
    "late=fake:?first_token_after_s=30",
    "badjson=fake:?bad_json_after=3&tokens_per_second=50",
    "error=fake:?error_in_stream_after=3&tokens_per_second=50",
    "error-first=fake:?error_in_stream_after=0",
    "forgets-done=fake:?forget_done=true",
    "status-500=fake:?status=500",
    "status-429=fake:?status=429",
    "org/name-with.slashes=fake:",
)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def fake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """FAKES behind a real `penstock serve`, shared by all tests: leave it as it was."""
    with serving(*FAKES, home=tmp_path_factory.mktemp("fake-home")) as server:
        yield server


@pytest.fixture(scope="session")
def bundled_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The bundled penstock/tiny-chat and penstock/tiny-embed, shared by all tests."""
    with serving(home=tmp_path_factory.mktemp("bundled-home")) as server:
        yield server


@pytest.fixture(scope="session")
def vllm() -> Iterator[RunningVllm]:
    """The bundled chat model on a real vLLM, shared by all tests; skips where there is none."""
    with running_vllm() as running:
        yield running


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `tiny_pipelines.py` makes. Skips what needs it where there is no diffusers."""
    directory = tmp_path_factory.mktemp("pictures")
    picture_models.make(directory)
    return directory


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node with the clients that are tested."""
    return Node(tmp_path_factory.mktemp("node"))


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """`serve(*models, flags=(), env={}, key=…, home=…, ready=True)`: a server of the test's own."""
    with contextlib.ExitStack() as stack:

        def start(*models: str, **more: object) -> Server:
            home = more.pop("home", None) or tmp_path_factory.mktemp("home")
            return stack.enter_context(serving(*models, home=home, **more))  # type: ignore[arg-type]

        yield start


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    try:
        with cluster() as running:
            yield running
    except NoPostgres as reason:
        pytest.skip(f"NOT TESTED ON POSTGRESQL: {reason}")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Of a new, empty database: every test of the store runs on both kinds."""
    if request.param == "sqlite":
        return tmp_path / "penstock.db"
    running: Cluster = request.getfixturevalue("postgresql")
    return running.database()


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    opened = open_database(place)
    yield opened
    opened.close()

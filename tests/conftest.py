"""Servers for tests: two for everybody, and a factory for those that need one of their own."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
from serving import Server, serving

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


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """`serve(*models, flags=(), env={}, key=…, home=…, ready=True)`: a server of the test's own."""
    with contextlib.ExitStack() as stack:

        def start(*models: str, **more: object) -> Server:
            home = more.pop("home", None) or tmp_path_factory.mktemp("home")
            return stack.enter_context(serving(*models, home=home, **more))  # type: ignore[arg-type]

        yield start

"""A real `penstock serve` for tests: started, talked to, stopped, and no child left behind."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil
from rawhttp import Reply, Wire, request

KEY = "sk-penstock-test-0123456789abcdef0123456789abcdef"
READY_S = 60.0
POLL_S = 0.02
T = TypeVar("T")


def until(ask: Callable[[], T | None], what: str, within_s: float = 20.0) -> T:
    """What `ask` returns, as soon as it is truthy."""
    end_s = time.monotonic() + within_s
    while True:
        if answer := ask():
            return answer
        assert time.monotonic() < end_s, f"not within {within_s:g} s: {what}"
        time.sleep(POLL_S)


class Server:
    """A running server. `url` is for OpenAI clients, `base` is without the path."""

    def __init__(
        self,
        models: Sequence[str],
        *,
        home: Path,
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        key: str = KEY,
    ) -> None:
        self.home = home
        self.key = key
        home.mkdir(parents=True, exist_ok=True)
        self.stdout = home / f"stdout-{time.monotonic_ns()}"
        self.stderr = self.stdout.with_name(self.stdout.name.replace("stdout", "stderr"))
        self.process = spawn(models, home=home, flags=flags, env=env, key=key, out=self.stdout)
        self.children: list[psutil.Process] = []

    @property
    def log(self) -> str:
        return self.stdout.read_text() + self.stderr.read_text()

    @property
    def base(self) -> str:
        return until(self._base, "the server prints its address", READY_S)

    @property
    def url(self) -> str:
        return f"{self.base}/v1"

    def _base(self) -> str | None:
        assert self.process.poll() is None, self.log
        marker = "Penstock serves at "
        for line in self.stdout.read_text().splitlines():
            if line.startswith(marker) and line.endswith("/v1/openai"):
                return line.removeprefix(marker).removesuffix("/v1/openai")
        return None

    def wait_ready(self, within_s: float = READY_S) -> None:
        try:
            until(lambda: self.get("/ready").status == 200, "every model is ready", within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None
        self.remember_children()

    def remember_children(self) -> list[psutil.Process]:
        """All processes below the server now; `stop` checks that none of them is left."""
        with contextlib.suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.process.pid).children(recursive=True)
            self.children += [child for child in found if child not in self.children]
        return [child for child in self.children if is_alive(child)]

    # -- talking ---------------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
    ) -> Reply:
        """One request on a connection of its own. `key` "" sends none."""
        key = self.key if key is None else key
        own = {"authorization": f"Bearer {key}"} if key else {}
        with self.wire() as wire:
            sent = request(method, path, body, {**own, "connection": "close", **(headers or {})})
            return wire.send(sent).reply(bodiless=method == "HEAD")

    def get(self, path: str, **more: Any) -> Reply:
        return self.send("GET", path, **more)

    def post(self, path: str, body: Any, **more: Any) -> Reply:
        """`body` is bytes as they are, or a value to be sent as JSON; `path` is under /v1."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", f"/v1/{path}", data, **more)

    def chat(self, model: str, text: str = "hello there", **more: Any) -> Reply:
        return self.post("chat/completions", chat_body(model, text, **more))

    def open_chat(self, model: str, text: str = "hello there", **more: Any) -> Wire:
        """A streamed chat whose request has been sent and nothing read of it."""
        body = json.dumps(chat_body(model, text, stream=True, **more)).encode()
        head = {"authorization": f"Bearer {self.key}"}
        return self.wire().send(request("POST", "/v1/chat/completions", body, head))

    def wire(self) -> Wire:
        return Wire.to(self.base)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name that have all of `labels`."""
        total = 0.0
        for line in self.get("/metrics").body.decode().splitlines():
            sample, _, value = line.rpartition(" ")
            found, _, rest = sample.partition("{")
            if found == name and all(f'{key}="{text}"' in rest for key, text in labels.items()):
                total += float(value)
        return total

    def running(self) -> int:
        return int(self.metric("penstock_calls_running"))

    # -- ending ----------------------------------------------------------------------------

    def stop(self, within_s: float = 30.0) -> int:
        """SIGTERM; returns the exit status once it and every child of it has ended."""
        self.remember_children()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not stop on SIGTERM:\n{self.log}") from None
        self.check_no_child_is_left()
        return status

    def check_no_child_is_left(self, within_s: float = 5.0) -> None:
        gone = lambda: not any(map(is_alive, self.children))  # noqa: E731
        try:
            until(gone, "no child is left", within_s)
        finally:
            for child in filter(is_alive, self.children):
                child.kill()


def chat_body(model: str, text: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def environment(home: Path, *, key: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a test's `penstock`: nothing of the developer's own settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    own = {"PENSTOCK_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    return {**clean, **own, **({"PENSTOCK_API_KEY": key} if key else {}), **(env or {})}


def spawn(
    models: Sequence[str],
    *,
    home: Path,
    flags: Sequence[str],
    env: Mapping[str, str] | None,
    key: str,
    out: Path,
) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "penstock", "serve", "--port", "0", *flags, *models]
    err = out.with_name(out.name.replace("stdout", "stderr"))
    with out.open("wb") as stdout, err.open("wb") as stderr:
        return subprocess.Popen(
            argv,
            cwd=home,
            env=environment(home, key=key, env=env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )


@contextlib.contextmanager
def serving(
    *models: str,
    home: Path,
    flags: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    key: str = KEY,
    ready: bool = True,
) -> Iterator[Server]:
    """A server that is ready (unless `ready` is false: only listening) until the context ends."""
    server = Server(models, home=home, flags=flags, env=env, key=key)
    try:
        if ready:
            server.wait_ready()
        else:
            server.base  # noqa: B018 waits until it listens
        yield server
    finally:
        server.stop()

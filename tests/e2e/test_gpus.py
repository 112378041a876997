"""Models that share GPUs: real processes, and a driver that is made up."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
from nvml import gpus, needs_gcc
from rawhttp import Reply
from serving import Server, until

Serve = Callable[..., Server]
pytestmark = needs_gcc
#: Of a GPU of 10 GiB more than the half.
MOST = "fake:?gpu_mib=6144"


def states(server: Server) -> dict[str, str]:
    return dict(server.get("/ready").json["models"])


def places(server: Server) -> dict[str, str | None]:
    """The GPUs that each running engine sees, by its model."""
    seen: dict[str, str | None] = {}
    for child in server.remember_children():
        try:
            line, environment = child.cmdline(), child.environ()
        except psutil.NoSuchProcess:
            continue
        if "--model" in line:
            seen[line[line.index("--model") + 1]] = environment.get("CUDA_VISIBLE_DEVICES")
    return seen


def test_two_models_take_turns_on_one_gpu_and_no_answer_is_cut(
    serve: Serve, tmp_path: Path
) -> None:
    models = (f"slow={MOST}&tokens_per_second=20", f"other={MOST}", "cpu=fake:")
    server = serve(*models, env=gpus(tmp_path, 10))
    assert states(server) == {"slow": "ready", "other": "idle", "cpu": "ready"}
    assert places(server) == {"slow": "0", "cpu": None}
    with server.open_chat("slow", max_tokens=60) as wire:
        until(lambda: server.running() == 1, "it runs")
        replies: list[Reply] = []
        asking = threading.Thread(target=lambda: replies.append(server.chat("other")))
        asking.start()
        assert server.chat("cpu", fail_fast=True).status == 200
        whole = wire.final()
        asking.join()
    assert len(whole.events) >= 60
    assert whole.payloads[-1] == "[DONE]"
    assert replies[0].status == 200
    for name, away in (("slow", "other"), ("other", "slow")):
        assert server.chat(name, max_tokens=1).status == 200
        assert places(server) == {name: "0", "cpu": None}
        assert states(server) == {name: "ready", away: "idle", "cpu": "ready"}


@pytest.mark.slow
def test_models_that_take_turns_on_gpus_lose_no_request(serve: Serve, tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(4)]
    both = "wide=fake:?gpu_mib=4096&gpus=2"
    server = serve(*(f"{name}={MOST}" for name in names), both, env=gpus(tmp_path, 10, 10))
    until_s = time.monotonic() + 15
    statuses: list[int] = []
    crowded: list[Sequence[str | None]] = []

    def ask(first: int) -> None:
        turn = first
        while time.monotonic() < until_s:
            statuses.append(server.chat([*names, "wide"][turn % 5]).status)
            turn += 2

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in asking:
        thread.start()
    while any(thread.is_alive() for thread in asking):
        seen = [gpu for name, gpu in places(server).items() if name != "wide"]
        if len(seen) != len({*seen}):
            crowded.append(seen)
        time.sleep(0.2)
    assert set(statuses) == {200}
    assert len(statuses) > 20
    assert crowded == []


def test_each_gets_the_emptiest_gpu_and_one_over_both_sends_both_away(
    serve: Serve, tmp_path: Path
) -> None:
    models = (f"a={MOST}", f"b={MOST}", "both=fake:?gpu_mib=8192&gpus=2")
    server = serve(*models, env=gpus(tmp_path, 10, 10))
    assert places(server) == {"a": "0", "b": "1"}
    assert states(server)["both"] == "idle"
    assert server.chat("both").status == 200
    assert places(server) == {"both": "0,1"}


def test_what_a_process_really_holds_of_a_gpu_counts(serve: Serve, tmp_path: Path) -> None:
    driver = gpus(tmp_path, 10)
    server = serve("grows=fake:?gpu_mib=1024", "other=fake:?gpu_mib=4096", env=driver)
    assert places(server) == {"grows": "0", "other": "0"}
    (grows,) = [p for p in server.remember_children() if "grows" in p.cmdline()]
    (tmp_path / "running").write_text(f"0 {grows.pid} 7\n")
    until(lambda: len(places(server)) == 1, "there is no room for both any more", within_s=30)
    for name in ("grows", "other"):
        assert server.chat(name).status == 200
        assert list(places(server)) == [name]


def test_what_no_gpu_could_ever_give_is_refused_with_the_figures(tmp_path: Path) -> None:
    server = Server(["big=fake:?gpu_mib=12288"], home=tmp_path / "home", env=gpus(tmp_path, 10))
    assert server.process.wait(30) != 0
    assert "It needs 12.00 GiB of a GPU's memory" in server.log
    assert "10.00 GiB are free" in server.log

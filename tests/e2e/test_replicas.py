"""One model, several replicas: all of them work, one that dies is not missed, caches are found."""

import concurrent.futures
import contextlib
import signal
from collections.abc import Iterator

import psutil
import pytest
from serving import Server, serving, until

MODELS = """
[[models]]
name = "three"
source = "fake:?tokens_per_second=10"
replicas = 3
parallel = 2

[[models]]
name = "late"
source = "fake:?first_token_after_s=1"
replicas = 2

[[models]]
name = "two"
source = "penstock/tiny-chat"
replicas = 2
parallel = 2
context_length = 512
"""

TALE = (
    "Once there was a lighthouse keeper who counted the ships that passed by every night and wrote "
    "their names into a book with a blue cover, so that none of them would ever be forgotten. "
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("replicas")
    (home / "penstock.toml").write_text(MODELS)
    with serving(home=home) as server:
        yield server


def engines_of(server: Server, model: str) -> list[psutil.Process]:
    found = [child for child in server.remember_children() if model in child.cmdline()]
    assert found
    return found


def test_every_replica_is_a_process_with_slots_of_its_own(server: Server) -> None:
    until(lambda: ready(server, "three") == 3, "all replicas are ready")
    assert len(engines_of(server, "three")) == 3
    assert server.metric("penstock_slots", gen_ai_request_model="three") == 6
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(server.chat, "three", "x " * 20) for _ in range(8)]
        until(lambda: running(server, "three") == 6, "as many calls run as there are slots")
        assert server.metric("penstock_calls_waiting", gen_ai_request_model="three") == 2
        assert {answer.result().status for answer in answers} == {200}


def test_while_one_dies_again_and_again_nobody_notices(server: Server) -> None:
    until(lambda: ready(server, "late") == 2, "both replicas are ready")
    first, second = engines_of(server, "late")
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(server.open_chat("late", f"number {n}")) for n in range(4)]
        until(lambda: running(server, "late") == 4, "all of them wait for their first token")
        first.send_signal(signal.SIGKILL)
        assert [stream.final().payloads[-1] for stream in streams] == ["[DONE]"] * 4
    assert second.is_running()
    assert ready(server, "late") >= 1
    assert server.chat("late", "still there?").status == 200


def test_a_conversation_finds_what_its_replica_has_read(server: Server) -> None:
    until(lambda: ready(server, "two") == 2, "both replicas are ready")
    messages = [{"role": "user", "content": TALE * 3}]
    shares = []
    for _ in range(4):
        body = {"model": "two", "messages": messages, "max_tokens": 8, "temperature": 0}
        answer = server.post("chat/completions", body).json
        usage = answer["usage"]
        shares.append(usage["prompt_tokens_details"]["cached_tokens"] / usage["prompt_tokens"])
        said = answer["choices"][0]["message"]["content"]
        messages += [{"role": "assistant", "content": said}, {"role": "user", "content": "And?"}]
    assert shares[0] < 0.1
    assert min(shares[1:]) > 0.8


def ready(server: Server, model: str) -> float:
    return server.metric("penstock_replicas_ready", gen_ai_request_model=model)


def running(server: Server, model: str) -> float:
    return server.metric("penstock_calls_running", gen_ai_request_model=model)


def waiting(server: Server, model: str) -> float:
    return server.metric("penstock_calls_waiting", gen_ai_request_model=model)

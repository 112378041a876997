"""A chat template is a program that comes with a model: it can harm its own model at most."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gguf_files import with_template
from serving import Server, serving, until

FOREVER = (
    "{% for i in range(30000) %}{% for j in range(30000) %}{% for k in range(30000) %}"
    "{% endfor %}{% endfor %}{% endfor %}"
)
DOUBLED = (
    "{% set bomb = namespace(s='x' * 1000) %}"
    "{% for i in range(60) %}{% set bomb.s = bomb.s ~ bomb.s %}{% endfor %}{{ bomb.s }}"
)
ON_A_WORD = "{%% if messages[0].content == 'go' %%}%s{%% endif %%}{{ messages[0].content }}"
#: Where its own file may be touched stands {canary}.
NEVER_START = {
    "raises": "{{ raise_exception('no') }}",
    "no-template": "{% for %}",
    "recurses": "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "subclasses": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ cycler.__init__.__globals__.os.popen('touch {canary}').read() }}",
    "import": "{% import 'os' as os %}{{ os.system('touch {canary}') }}",
    "include": "{% include '/etc/passwd' %}",
    "loops": FOREVER,
    "loops-at-once": "{% for i in range(1000000000) %}{% endfor %}",
    "grows": DOUBLED,
}
HARMFUL_LATER = {"loops-on-a-word": ON_A_WORD % FOREVER, "grows-on-a-word": ON_A_WORD % DOUBLED}
IMPATIENT = {
    "PENSTOCK_START_TIMEOUT_S": "5",
    "PENSTOCK_FIRST_BYTE_TIMEOUT_S": "5",
    "PENSTOCK_READY_TIMEOUT_S": "1",
    "PENSTOCK_STOP_GRACE_S": "1",
}


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canary") / "touched"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, canary: Path) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("hostile")
    models = [
        f"{name}={with_template(text.replace('{canary}', str(canary)), directory / f'{name}.gguf')}"
        for name, text in (NEVER_START | HARMFUL_LATER).items()
    ]
    flags = ("--context-length", "256", "--parallel", "1")
    with serving(
        "fast=fake:", *models, home=directory / "home", env=IMPATIENT, flags=flags, ready=False
    ) as server:
        until(lambda: server.chat("fast").status == 200, "the honest model is ready")
        yield server


def test_one_that_harms_as_it_starts_never_serves(server: Server, canary: Path) -> None:
    def all_failed() -> bool:
        assert server.chat("fast").status == 200
        return all(f"{name}: It " in server.log for name in NEVER_START)

    until(all_failed, "every such model failed to start", within_s=120)
    assert "not ready after 5 s" in server.log
    for name in NEVER_START:
        reply = server.chat(name)
        assert (reply.status, reply.error["code"]) == (503, "model_not_ready"), name
    assert not canary.exists()


@pytest.mark.parametrize("name", HARMFUL_LATER)
def test_one_that_harms_as_it_is_used_fails_that_request(server: Server, name: str) -> None:
    until(lambda: server.chat(name, "hi", max_tokens=1).status == 200, "it is ready", within_s=60)
    reply = server.chat(name, "go", max_tokens=1)
    assert reply.status in (400, 502), reply
    assert reply.error["message"]
    assert server.chat("fast").status == 200
    until(lambda: server.chat(name, "hi", max_tokens=1).status == 200, "it lives", within_s=60)

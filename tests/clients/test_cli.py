"""The `penstock` command against real servers, as a user types it."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from PIL import Image
from serving import Server, environment, until

from penstock.cli.main import COMMANDS
from penstock.cli.main import penstock as penstock_command
from penstock.config.load import BadSettings, load
from penstock.config.settings import Settings

PENSTOCK = (sys.executable, "-m", "penstock")
NOWHERE = "http://127.0.0.1:1/v1"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Said:
    """What a command printed, and how it ended."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture
def penstock(tmp_path: Path) -> Run:
    """`penstock(*arguments, server=…, stdin=…, **variables)`, in an empty directory and home."""

    def run(
        *arguments: str, server: Server | None = None, stdin: str = "", **variables: str
    ) -> Said:
        own = {"PENSTOCK_BASE_URL": server.url if server else NOWHERE, **variables}
        env = environment(tmp_path / "home", key=server.key if server else "", env=own)
        done = subprocess.run(
            [*PENSTOCK, *arguments],
            cwd=tmp_path,
            env=env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Said(done)

    return run


# -- help and mistakes ------------------------------------------------------------------------

KEYS = tuple(("keys", name) for name in ("create", "list", "delete"))
DEPLOY = tuple(("deploy", name) for name in (
    "create", "list", "show", "update", "start", "stop", "delete", "pin", "unpin", "logs", "stats",
    "replicas",
))  # fmt: skip
MODELS = (("models", "show"), ("models", "set"))
HELPFUL = [*((name,) for name in COMMANDS), *KEYS, *DEPLOY, *MODELS]


@pytest.mark.parametrize("command", HELPFUL, ids=" ".join)
def test_every_command_has_help_that_says_what_it_does(command: tuple[str, ...]) -> None:
    said = CliRunner().invoke(penstock_command, [*command, "--help"])
    assert said.exit_code == 0
    assert said.output.startswith(f"Usage: penstock {' '.join(command)} ")
    assert len(said.output.splitlines()[2].strip()) > 10


def test_the_list_of_commands_has_them_all(penstock: Run) -> None:
    said = penstock("--help")
    assert all(re.search(rf"^  {name} +\S", said.out, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sreve",), "No such command 'sreve'"),
        (
            ("serve", "--port", "banana"),
            "port (from command line): 'banana' is not a whole number.",
        ),
        (("serve", "no-such-model"), "'no-such-model' is not the name of a model"),
        (("serve", "./missing.gguf"), "missing.gguf"),
        (("serve", "a=fake:", "a=fake:"), "Two models are called 'a'"),
        (("serve", "fake:", "--host", "0.0.0.0", "--no-auth"), "works on a loopback address only"),
        (("keys", "delete", "nobody", "--yes"), "There is no key called 'nobody'"),
        (("keys", "create", "x" * 129), "1 to 128 characters"),
        (("keys", "create", ""), "1 to 128 characters"),
        (("keys", "create", "x", "--account", "a/b"), "cannot be the name of an account"),
        (("keys", "create", "x", "--account", "penstock"), "cannot be the name of an account"),
        (("pull", "./model.gguf"), "nothing to fetch"),
        (("embed",), "Give a text"),
        (("deploy", "create", "x"), "Give a SOURCE, or --base MODEL"),
        (("deploy", "create", "x", "org/repo", "--base", "y"), "Give a SOURCE, or --base MODEL"),
        (("deploy", "create", "x", "./missing.gguf"), "missing.gguf does not exist"),
        (("deploy", "create", "../x", "./missing.gguf"), "cannot be the name of a model"),
        (("deploy", "create", "x", "http://localhost/v1"), "Put one before it"),
        (("deploy", "create", "x", "y=http://localhost/v1"), "has no weights"),
        (("deploy", "create", "x", "org/repo", "--min", "-1"), "--min"),
        (("bench", "--requests", "0"), "0 is not in the range x>=1"),
        (("bench", "--streams", "0"), "0 is not in the range x>=1"),
        (("bench", "--max-tokens", "-1"), "-1 is not in the range x>=1"),
        (("models", "--url", "http://127.0.0.1:2/v1", "show", "x"), "http://127.0.0.1:2/v1"),
        (("models", "--url", "http://127.0.0.1:2/v1", "show", "x", "--url", NOWHERE), NOWHERE),
        (("models", "set", "x"), "There is nothing to set"),
        (("models", "set", "x", "--price", "input=1"), "'input=1' is no price"),
        (("models", "set", "x", "--price", "input_token=cheap"), "is no price"),
        (("models", "set", "nobody", "--description", "x"), "nobody"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(
    arguments: tuple[str, ...], sentence: str, penstock: Run
) -> None:
    said = penstock(*arguments)
    assert said.status in (1, 2)
    assert sentence in said.err


@pytest.mark.parametrize(
    "command",
    [
        ("chat",),
        ("models",),
        ("models", "show", "x"),
        ("embed", "x"),
        ("bench",),
        ("deploy", "list"),
        ("deploy", "create", "x", "org/repo"),
        ("deploy", "delete", "x", "-y"),
    ],
)
def test_without_a_server_it_says_how_to_start_one(command: tuple[str, ...], penstock: Run) -> None:
    said = penstock(*command, stdin="Hello\n")
    assert said.status == 1
    assert NOWHERE in said.err
    assert "Start it with: penstock serve" in said.err


def test_a_wrong_key_is_said_so(fake_server: Server, penstock: Run) -> None:
    said = penstock("models", "--key", "wrong", server=fake_server)
    assert said.status == 1
    assert "Incorrect API key provided" in said.err


def test_what_is_found_wrong_is_told_by_the_status_too(penstock: Run) -> None:
    said = penstock("doctor", "./no-such.gguf")
    assert said.status == 1
    assert "no-such.gguf" in said.out


# -- chat -------------------------------------------------------------------------------------


def test_lines_on_standard_input_make_a_conversation(
    serve: Callable[..., Server], tmp_path: Path, penstock: Run
) -> None:
    log = tmp_path / "log"
    server = serve(f"one=fake:?log={quote(str(log))}", f"two=fake:?log={quote(str(log))}")
    lines = ["Hello", "/system Be brief.", "Again", "/model two", "Third", "/clear", "New", "/exit"]
    said = penstock("chat", server=server, stdin="\n".join([*lines, "never"]))
    assert said.status == 0
    assert "System: Be brief." in said.out
    assert "Model: two (of one, two)" in said.out
    asked = [json.loads(line)["body"] for line in log.read_text().splitlines()]
    texts = [[message["content"] for message in body["messages"]] for body in asked]
    assert [body["model"] for body in asked] == ["one", "one", "two", "two"]
    assert [len(each) for each in texts] == [1, 4, 6, 2]
    assert texts[2][::2] == ["Be brief.", texts[1][2], texts[2][4]]
    assert [text[-1] for text in texts] == ["Hello", "Again", "Third", "New"]
    assert all(text[1] in said.out for text in texts[1:3])


def test_an_error_in_a_chat_is_told_and_the_chat_goes_on(
    fake_server: Server, penstock: Run
) -> None:
    lines = "Hello\n/model nothing\n/model fast\nHello\n"
    said = penstock("chat", "status-500", server=fake_server, stdin=lines)
    assert said.status == 0
    assert "Error: " in said.err
    assert "There is no 'nothing'." in said.err
    assert "You said: Hello" in said.out


class Terminal:
    """A program in a pseudo-terminal."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(argv, env=env, preexec_fn=lambda: os.login_tty(slave))
        os.close(slave)
        self.screen = ""

    def wait_for(self, text: str) -> None:
        """Read until `text` is on the screen; what came before it is forgotten."""
        end_s = time.monotonic() + 20
        while text not in self.screen:
            assert time.monotonic() < end_s, f"{text!r} is not in {self.screen!r}"
            if select.select([self._master], [], [], 0.1)[0]:
                self.screen += ESCAPES.sub("", os.read(self._master, 4096).decode())
        self.screen = self.screen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def test_ctrl_c_stops_an_answer_and_not_the_program(fake_server: Server, tmp_path: Path) -> None:
    own = {"PENSTOCK_BASE_URL": fake_server.url, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"}
    env = environment(tmp_path, key=fake_server.key, env=own)
    terminal = Terminal([*PENSTOCK, "chat", "slow", "--max-tokens", "2000"], env)
    try:
        terminal.wait_for("Talking to slow.")
        terminal.wait_for(">")
        terminal.type("Hello\r")
        terminal.wait_for("You said: Hello")
        terminal.type("\x03")
        terminal.wait_for("[stopped]")
        terminal.wait_for(">")
        until(lambda: fake_server.running() == 0, "the engine stops too", within_s=2)
        terminal.type("/system Be brief.\r")
        terminal.wait_for("System: Be brief.")
        terminal.wait_for(">")
        terminal.type("\x04")
        assert terminal.process.wait(10) == 0
    finally:
        terminal.close()


# -- draw, embed, models, bench ----------------------------------------------------------------


def test_a_picture_is_written_in_the_format_of_its_name(
    bundled_server: Server, penstock: Run, tmp_path: Path
) -> None:
    for name, kind in (("horse.jpg", "JPEG"), ("horse.WebP", "WEBP"), ("horse", "PNG")):
        said = penstock("draw", "a horse", "-o", name, "--size", "96x64", server=bundled_server)
        assert said.out.startswith(f"{name} (96x64, ")
        with Image.open(tmp_path / name) as picture:
            assert (picture.format, picture.size) == (kind, (96, 64))


def test_embed_shows_how_alike_texts_are(bundled_server: Server, penstock: Run) -> None:
    said = penstock("embed", "a cat", "a kitten", server=bundled_server)
    first, second, _, note = said.out.splitlines()
    assert first.startswith(" 1.00")
    assert first.endswith("a cat")
    assert second.split()[1] == "1.00"
    assert note.startswith("256 dimensions")


def test_embed_gives_whole_vectors_of_the_lines_on_its_input(
    fake_server: Server, penstock: Run
) -> None:
    said = penstock("embed", "-m", "fast", "--json", server=fake_server, stdin="one\n\ntwo\n")
    assert [row["text"] for row in said.json] == ["one", "two"]
    assert {len(row["embedding"]) for row in said.json} == {8}


def test_models_are_shown_for_people_and_for_machines(
    bundled_server: Server, penstock: Run
) -> None:
    head, *rows = penstock("models", server=bundled_server).out.splitlines()
    assert head.split() == ["MODEL", "STATE", "ENGINE", "TASKS", "CONTEXT", "PRICES"]
    assert rows[0].split()[:3] == ["penstock/tiny-chat", "ready", "llama_cpp"]
    listed = penstock("models", "--json", server=bundled_server).json
    assert {"penstock/tiny-chat", "penstock/tiny-embed"} <= {row["model"] for row in listed}


def test_flags_before_a_subcommand_hold_for_it_too(
    fake_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_API_KEY", "wrong")
    before = ["models", "--url", fake_server.url, "--key", fake_server.key, "--json"]
    shown = CliRunner().invoke(penstock_command, [*before, "show", "fast"])
    assert json.loads(shown.output)["model_name"] == "fast"
    own = CliRunner().invoke(penstock_command, [*before, "show", "fast", "--key", "other"])
    assert "Incorrect API key provided" in own.output


def test_bench_counts_the_tokens_of_all_streams(fake_server: Server, penstock: Run) -> None:
    flags = ("-n", "4", "-c", "2", "--max-tokens", "8")
    result = penstock("bench", "fast", *flags, "--json", server=fake_server).json
    assert (result["tokens"], result["requests"], result["streams"]) == (32, 4, 2)
    assert 0 < result["first_token_s_median"] <= result["whole_answer_s_p95"]
    assert "tokens per second" in penstock("bench", "fast", *flags, server=fake_server).out


# -- keys -------------------------------------------------------------------------------------


def test_keys_are_made_listed_and_deleted_without_a_server(penstock: Run) -> None:
    made = penstock("keys", "create", "laptop", "--json").json
    assert made["key"].startswith("sk-penstock-")
    (row,) = penstock("keys", "list", "--json").json
    assert row["name"] == "laptop"
    assert made["key"].endswith(row["hint"].lstrip("…"))
    assert made["key"] not in penstock("keys", "list").out
    assert penstock("keys", "create", "laptop").status == 1
    assert penstock("keys", "delete", "laptop", "--yes").out == "Deleted laptop.\n"
    assert "There is no key." in penstock("keys", "list").out


def test_a_running_server_takes_up_changes_of_keys(
    serve: Callable[..., Server], penstock: Run
) -> None:
    server = serve("fake:")
    there = {"PENSTOCK_HOME": str(server.home)}
    key = penstock("keys", "create", "new", **there).out.split()[0]
    until(lambda: server.get("/v1/models", key=key).status == 200, "the key works", within_s=5)
    penstock("keys", "delete", "new", "-y", **there)
    until(lambda: server.get("/v1/models", key=key).status == 401, "and no more", within_s=5)


def test_the_first_key_is_found_by_the_commands_on_the_same_machine(
    serve: Callable[..., Server], penstock: Run
) -> None:
    server = serve("fake:", key="")
    there = {"PENSTOCK_HOME": str(server.home), "PENSTOCK_BASE_URL": server.url}
    assert penstock("models", **there).out.splitlines()[1].startswith("fake ")
    assert "sk-penstock-" in server.log


def test_the_first_key_is_shown_to_no_other_host(
    serve: Callable[..., Server], penstock: Run
) -> None:
    server = serve("fake:", key="")
    url = server.url.replace("127.0.0.1", "0.0.0.0")  # which reaches it, and is no loopback address
    there = {"PENSTOCK_HOME": str(server.home), "PENSTOCK_BASE_URL": url}
    said = penstock("models", **there)
    assert said.status == 1
    assert "Incorrect" not in said.err
    assert said.err.rstrip().endswith("Give its key with --key, or as PENSTOCK_API_KEY.")
    key = (server.home / "cli-key").read_text().strip()
    assert penstock("models", "--key", key, **there).status == 0


# -- config -----------------------------------------------------------------------------------


def test_config_says_where_each_value_came_from(tmp_path: Path, penstock: Run) -> None:
    (tmp_path / "penstock.toml").write_text('port = 1\nqueue_limit = 2\n[[models]]\nsource="a/b"')
    said = penstock("config", "--json", "--port", "3", PENSTOCK_THREADS="4")
    rows = {row["setting"]: row for row in said.json}
    assert list(rows) == list(Settings.__struct_fields__)
    assert (rows["port"]["value"], rows["port"]["from"]) == (3, "command line")
    assert (rows["threads"]["value"], rows["threads"]["from"]) == (4, "PENSTOCK_THREADS")
    assert (rows["queue_limit"]["value"], rows["queue_limit"]["from"]) == (2, "penstock.toml")
    assert rows["log_level"]["from"] == "default"
    assert all(row["description"] for row in rows.values())


def test_config_for_people_names_home_and_file(tmp_path: Path, penstock: Run) -> None:
    said = penstock("config")
    assert re.search(r"^port +8000 +default$", said.out, re.MULTILINE)
    assert f"State is kept in {tmp_path / 'home'}" in said.out
    assert "Configuration file: none" in said.out


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PENSTOCK_PROT": "1"}, "PENSTOCK_PROT names no setting"),
        ({"PENSTOCK_PORT": "99999"}, "port (from PENSTOCK_PORT)"),
        ({"PENSTOCK_CONFIG": "nowhere.toml"}, "nowhere.toml does not exist"),
    ],
)
def test_a_wrong_setting_is_named(variables: dict[str, str], sentence: str, penstock: Run) -> None:
    said = penstock("config", **variables)
    assert said.status == 2
    assert sentence in said.err


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("port", "", "'' is not a whole number"),
        ("threads", "x", "'x' is not a whole number"),
        ("auth", "maybe", "'maybe' is not true or false"),
        ("drain_timeout_s", "soon", "'soon' is not a number"),
        (
            "memory_limit",
            "8 bits",
            "'8 bits' is not a whole number, nor a size such as 8GB or 8GiB",
        ),
    ],
)
def test_a_text_that_is_no_number_is_told_in_words(name: str, text: str, fault: str) -> None:
    with pytest.raises(BadSettings, match=re.escape(f"{name} (from command line): {fault}.")):
        load({name: text})


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("8000", 8000), ("8GB", 8 * 10**9), ("8 GiB", 8 * 2**30), ("7.5g", 7.5e9), ("512Mi", 2**29)],
)
def test_a_size_is_written_as_people_write_it(text: str, size_bytes: int, tmp_path: Path) -> None:
    assert load({"memory_limit": text}).settings.memory_limit == size_bytes
    file = tmp_path / "penstock.toml"
    file.write_text(f'max_body_bytes = "{text}"\n')
    assert load({}, file=file).settings.max_body_bytes == size_bytes

"""docs/deployments.md: its commands are run, in their order, beside a real server."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from adapter_files import gguf_adapter
from gguf_files import chat_model_path
from serving import Server, environment, serving, until

PAGE = Path(__file__).parents[2] / "docs" / "deployments.md"
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    for line in block.splitlines()
]

#: What is observed is written down soon, not at once.
REPLICAS = "penstock deploy replicas mine"
READY = re.compile(r"^\w{16}-[0-9a-f]{8} .* ready ", re.M)


def run(server: Server, directory: Path, command: str) -> str:
    """What the command prints, on the server's own machine and as its operator."""
    own = {"PENSTOCK_BASE_URL": server.url}
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=directory,
        env=environment(server.home, key=server.key, env=own),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}\n{server.log}"
    return done.stdout


@pytest.mark.timeout(600)
def test_the_commands_of_the_page_do_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").symlink_to(chat_model_path())
    gguf_adapter(tmp_path / "adapter.gguf")
    assert all(command.startswith("penstock ") for command in COMMANDS)
    told: dict[str, str] = {}
    with serving(home=tmp_path / "home") as server:
        for command in COMMANDS:
            told[command] = run(server, tmp_path, command)
            if command.startswith(("penstock deploy create", "penstock deploy update")):
                assert server.chat("default/mine", max_tokens=1).status == 200, server.log
            if command == REPLICAS:
                until(lambda: READY.search(run(server, tmp_path, REPLICAS)), "one is ready")
            if command.startswith("penstock lora add"):
                assert server.chat("default/warm", max_tokens=1).status == 200, server.log
            if "--alias small" in command:
                until(lambda: server.chat("small", max_tokens=1).status == 200, "the alias")
        assert server.get("/models/default/mine").status == 404
    assert "penstock/tiny-chat" in told["penstock models"]
    assert "Input format" in told["penstock models show penstock/tiny-chat"]
    assert "default/mine" in told["penstock deploy list"]
    assert re.search(r"^version +[0-9a-f]{64}$", told["penstock deploy show mine"], re.M)
    assert "default/warm" in told["penstock lora list"]
    assert "requests" in told["penstock deploy stats mine --from now-5h"]
    assert told["penstock deploy logs mine"].strip()
    assert json.dumps(told).count("Traceback") == 0

"""Clients that must not share an environment with us or with each other.

Each file of `guests/` is tests of one client, and names the packages that it needs, pinned, in its
head. uv makes an environment of these (and keeps it), and pytest runs there against our server.
"""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import penstock_tiny_models as tiny_models
import pytest
from serving import Server, serving

GUESTS = Path(__file__).parent / "guests"
SCRIPTS = sorted(GUESTS.glob("*_client.py"))
HEAD = re.compile(r"^# /// script\n(.*?)^# ///$", re.MULTILINE | re.DOTALL)
CHAT_FILE = str(tiny_models.path("tiny-chat") / "tiny-chat.gguf")
UV = os.environ.get("UV", "uv")


def needs(script: Path) -> list[str]:
    """The packages in a script's head."""
    found = HEAD.search(script.read_text("utf-8"))
    assert found, f"{script.name} names no packages"
    return list(tomllib.loads(re.sub(r"^# ?", "", found[1], flags=re.MULTILINE))["dependencies"])


def python(script: Path) -> str:
    """The interpreter of an environment with the script's packages."""
    if shutil.which(UV) is None:
        pytest.skip("uv is not on PATH")
    made = subprocess.run(
        [UV, "sync", "--quiet", "--script", script], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"uv could not fetch {needs(script)}: {made.stderr[-300:]}")
    found = [UV, "python", "find", "--script", str(script)]
    return subprocess.run(found, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def scripted_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A fake engine that says what guests/script.json has for it."""
    model = f"scripted=fake:?script={quote(str(GUESTS / 'script.json'))}"
    with serving(model, home=tmp_path_factory.mktemp("scripted-home")) as server:
        yield server


@pytest.mark.timeout(600)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_guest_is_content(
    script: Path, bundled_server: Server, scripted_server: Server, tmp_path: Path
) -> None:
    argv = [python(script), "-m", "pytest", "--noconftest", "-c", str(GUESTS / "pytest.ini")]
    there = {
        "BASE_URL": bundled_server.url,
        "SCRIPTED_URL": scripted_server.url,
        "API_KEY": bundled_server.key,
        "CHAT_FILE": CHAT_FILE,
    }
    done = subprocess.run(
        [*argv, "--rootdir", str(tmp_path), str(script)],
        cwd=tmp_path,
        env=os.environ | there,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_guests_packages_are_pinned(script: Path) -> None:
    assert all("==" in package for package in needs(script))

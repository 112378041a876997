"""Node with the packages of `clients/node/`, as those who use Penstock from it have them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from serving import Server

SCRIPTS = Path(__file__).parent / "clients" / "node"
INSTALL = ("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")


class Node:
    """A folder with the packages installed. Skips the test where that cannot be done."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("node") is None or shutil.which("npm") is None:
            pytest.skip("node and npm are not on PATH")
        self.folder = folder
        for packages in SCRIPTS.glob("package*.json"):
            shutil.copy(packages, folder)
        installed = subprocess.run(INSTALL, cwd=folder, capture_output=True, text=True)
        if installed.returncode:
            pytest.skip(f"npm could not fetch the packages: {installed.stderr[-300:]}")

    def run(self, script: str, server: Server) -> str:
        """What a script prints that reads the server's address from its environment."""
        there = {"BASE_URL": server.url, "API_KEY": server.key}
        done = subprocess.run(
            ["node", "--input-type=module", "-"],
            cwd=self.folder,
            env=os.environ | there,
            input=script,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

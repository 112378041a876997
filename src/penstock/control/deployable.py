"""Which files of this machine may be deployed by their path, and whether they can be served.

What lies in the models directory of the home may always be: only the operator can write there, and
links in it may lead anywhere (`penstock deploy create` makes them). Other directories are allowed
by the setting `deploy_paths`; links in those must not lead out of them.
"""

from collections.abc import Sequence
from pathlib import Path

from penstock.config.settings import ModelSettings
from penstock.control.machine import free_memory_bytes
from penstock.control.recipe import EngineMaker, Recipe
from penstock.domain.source import GgufFile, ModelDirectory
from penstock.engines.base import CannotStart


class NotDeployable(Exception):
    """The path may not be deployed, or what lies there cannot be served; a sentence says why."""


class Deployables:
    """The directories from which paths may be deployed, and the look at what lies there."""

    def __init__(self, models: Path, others: Sequence[Path], engines: EngineMaker) -> None:
        self._models = models
        self._others = others
        self._engines = engines

    def find(self, text: str) -> GgufFile | ModelDirectory:
        """The weights at a path; a relative one is below the models directory.

        Raises NotDeployable.
        """
        try:
            return self._found(text)
        except (OSError, RuntimeError):
            raise NotDeployable(
                f"{text!r} cannot be looked at: it is too long, is a circle of links, or lies "
                "where the server may not read."
            ) from None

    def _found(self, text: str) -> GgufFile | ModelDirectory:
        path = self._models / text
        if ".." in path.parts or not self._allowed(path):
            raise NotDeployable(
                f"{text!r} is not in a directory that may be deployed from: {self._models}"
                f"{''.join(f', {other}' for other in self._others)}. The operator's setting "
                "`deploy_paths` allows others."
            )
        if path.suffix != ".gguf" and not path.is_dir():
            raise NotDeployable(
                f"{text!r} is neither a .gguf file nor a directory. What would work: a GGUF file, "
                "or a directory with an ONNX embedder or with safetensors. Pickles (.bin, .pt) are "
                "never loaded."
            )
        return GgufFile(path) if path.suffix == ".gguf" else ModelDirectory(path)

    def check(self, name: str, source: GgufFile | ModelDirectory, settings: ModelSettings) -> None:
        """Raises NotDeployable for weights that no engine here can serve. Reads files."""
        try:
            recipe = Recipe(name, str(source), settings)
            self._engines.make(recipe, source, free_bytes=free_memory_bytes()).launch(Path())
        except (CannotStart, OSError) as error:
            raise NotDeployable(str(error)) from None

    def _allowed(self, path: Path) -> bool:
        if path.is_relative_to(self._models):
            return True
        real = path.resolve()
        return any(real.is_relative_to(other.resolve()) for other in self._others)

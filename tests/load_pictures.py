"""Loads picture models, one after another, in an interpreter that has diffusers.

Standard input is a JSON list of {"directory", "transformer", "adapters"}. Standard output is one of
what is said about each, null when it is loaded. One process for all: torch takes its time.
"""

import json
import sys
from pathlib import Path
from typing import Any

from penstock.engines.diffusers.pipeline_files import PipelineFiles
from penstock.engines.workers.painter import CannotLoad, Defaults
from penstock.engines.workers.pipeline_loading import load


def said_of(model: dict[str, Any]) -> str | None:
    transformer = model.get("transformer")
    try:
        load(
            PipelineFiles.read(Path(model["directory"])),
            dtype="float32",
            transformer=Path(transformer) if transformer else None,
            adapters={name: Path(file) for name, file in model.get("adapters", {}).items()},
            defaults=Defaults(),
        )
    except CannotLoad as error:
        return str(error)
    return None


if __name__ == "__main__":
    print(json.dumps([said_of(model) for model in json.load(sys.stdin)]))

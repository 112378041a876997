"""A picture model's files, as diffusers lays them out, read without the weights.

Both sides read them: the gateway to refuse a directory before it starts a process, and to know what
it takes of memory; the worker to load it. Only safetensors are weights here: other formats are
programs, which whoever made the file wrote. For the same reason a pipeline may only be made of the
libraries' own classes.
"""

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any, Self

import msgspec

INDEX = "model_index.json"
#: Where classes may come from. Anything else is code that lies beside the weights.
LIBRARIES = frozenset({"diffusers", "transformers", "stable_diffusion"})
#: Parts whose configuration is not called so have no weights: tokenizers, schedulers, processors.
CONFIG = "config.json"
WEIGHTS = "*.safetensors"
#: A smaller copy of the weights, in files of this name; taken where there is no other.
VARIANT = "fp16"
MAX_HEADER_BYTES = 100_000_000


class NotAPipeline(Exception):
    """The directory cannot be served; the text says in a sentence what is missing or wrong."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the pipeline: its directory's name, its class, its size."""

    name: str
    class_name: str
    parameters: int


class PipelineFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What the files say. `parts` are those with weights; `variant` is what diffusers calls a copy
    of them; `pixels` is what the model makes when it is not told, and `decoder_width` how many
    numbers each of them is when its decoder is at the widest."""

    directory: Path
    class_name: str
    parts: tuple[Part, ...]
    variant: str | None
    pixels: int
    decoder_width: int

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Raises NotAPipeline."""
        index = settings(directory / INDEX)
        if not isinstance(index.get("_class_name"), str):
            raise NotAPipeline(f"{directory / INDEX} does not say what pipeline it is.")
        named = dict(_classes(directory, index))
        weights = {name: _weights(directory / name) for name in named}
        plain = [f for files in weights.values() for f in files if VARIANT not in f.name]
        whole = bool(plain) or not any(weights.values())
        decoder = settings(directory / "vae" / CONFIG) if "vae" in named else {}
        return cls(
            directory=directory,
            class_name=index["_class_name"],
            parts=tuple(
                Part(
                    name=name,
                    class_name=named[name],
                    parameters=sum(map(_parameters, _of_one_copy(files))),
                )
                for name, files in weights.items()
                if files
            ),
            variant=None if whole else VARIANT,
            pixels=_pixels(directory, named, decoder),
            decoder_width=max(_widths(decoder)[:2], default=256),
        )


def settings(path: Path) -> dict[str, Any]:
    """A JSON object. Raises NotAPipeline."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotAPipeline(f"{path} is missing.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise NotAPipeline(f"{path} cannot be read: {error}.") from None
    if not isinstance(found, dict):
        raise NotAPipeline(f"{path} should hold a JSON object.")
    return found


def _classes(directory: Path, index: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and class of each part that the pipeline has."""
    for name, made_of in index.items():
        if name.startswith("_") or not isinstance(made_of, list) or made_of[:2] == [None, None]:
            continue
        match made_of:
            case [str(library), str(class_name)] if library in LIBRARIES:
                if not (directory / name).is_dir():
                    raise NotAPipeline(
                        f"{directory} has no directory {name!r}, which its {INDEX} names. Fetch "
                        "the model again, whole."
                    )
                yield name, class_name
            case _:
                raise NotAPipeline(
                    f"{directory / INDEX} makes {name!r} of {made_of!r}. Only classes of diffusers "
                    "and transformers are run, not code that comes with a model."
                )


def _weights(directory: Path) -> list[Path]:
    """The files of a part's weights; none for what has none. Raises NotAPipeline."""
    if not (directory / CONFIG).is_file():
        return []
    files = sorted(directory.glob(WEIGHTS))
    if not files:
        raise NotAPipeline(
            f"{directory} has no {WEIGHTS}. Weights in other formats can hold programs, and are "
            "not read."
        )
    return files


def _of_one_copy(files: list[Path]) -> list[Path]:
    return [f for f in files if VARIANT not in f.name] or files


def _parameters(file: Path) -> int:
    """How many numbers a file of safetensors has (its header is a JSON object, after 8 bytes)."""
    try:
        with file.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            if size > MAX_HEADER_BYTES:
                raise ValueError("its header is too long")
            header = json.loads(opened.read(size))
        return sum(
            prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__"
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotAPipeline(f"{file} is not a file of safetensors: {error}.") from None


def _widths(decoder: dict[str, Any]) -> list[int]:
    widths = decoder.get("block_out_channels")
    return [n for n in widths if isinstance(n, int)] if isinstance(widths, list) else []


def _pixels(directory: Path, named: dict[str, str], decoder: dict[str, Any]) -> int:
    """Those of the picture that a U-Net was trained for, a million for what does not say."""
    side = settings(directory / "unet" / CONFIG).get("sample_size") if "unet" in named else None
    if not isinstance(side, int):
        return 1024 * 1024
    return (side << max(len(_widths(decoder)) - 1, 0)) ** 2

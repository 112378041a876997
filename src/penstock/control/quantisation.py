"""Which files of a GGUF repository to take: one model is there many times, in many sizes."""

import difflib
import re
from collections.abc import Iterable, Sequence

import msgspec

from penstock.domain.source import BadSource, gguf_parts

#: The first that fits is taken. Q4_K_M is where a smaller file begins to cost quality; what comes
#: before F16 but after Q4_K_S is for repositories and machines that leave no better choice.
PREFERENCE = (
    "Q4_K_M", "Q5_K_M", "Q8_0", "Q6_K", "Q5_K_S", "Q4_K_S", "Q4_K_XL", "MXFP4", "MXFP4_MOE",
    "IQ4_NL", "IQ4_XS", "Q4_1", "Q4_0", "Q5_1", "Q5_0", "Q3_K_L", "Q3_K_M", "IQ3_M", "IQ3_S",
    "Q3_K_S", "IQ3_XS", "IQ3_XXS", "Q2_K_L", "Q2_K", "Q2_K_S", "IQ2_M", "IQ2_S", "IQ2_XS",
    "IQ2_XXS", "TQ2_0", "TQ1_0", "IQ1_M", "IQ1_S", "F16", "BF16", "F32",
)  # fmt: skip

#: Room beside the weights, for the context and the engine: the exact sum is made from the file's
#: own figures before it is started.
ROOM_SHARE = 0.2
ROOM_BYTES = 300_000_000

#: Not models that can be served by themselves: the eyes of a vision model, and statistics.
SIDE_FILES = re.compile(r"mmproj|imatrix", re.IGNORECASE)

#: For files of which it does not matter how much memory is free.
NO_BOUND_BYTES = 2**62

_LABEL = re.compile(
    r"(?:^|[-._/])"
    r"(?P<label>(?:UD-)?I?Q[1-8](?:_(?:K|NL|XXS|XS|S|M|L|XL|[0148]))+|TQ[12]_0|BF16|FP?16|FP?32"
    r"|MXFP4(?:_MOE)?)"
    r"(?=$|[-._/])",
    re.IGNORECASE,
)
_SPELLINGS = {"FP16": "F16", "FP32": "F32"}


class CannotChoose(ValueError):
    """No file is what is wanted, or none fits; the text lists what is there, with sizes."""


class RepoFile(msgspec.Struct, frozen=True):
    """A file of a repository. `sha256` is of files kept outside git, `git_sha` of the others."""

    name: str
    size_bytes: int
    sha256: str | None = None
    git_sha: str | None = None

    @property
    def digest(self) -> str:
        """What it is named by in a cache; "" where that is not known."""
        return self.sha256 or self.git_sha or ""


class Choice(msgspec.Struct, frozen=True):
    """`files` are all parts of one model, in order; `reason` is a sentence with the figures."""

    files: tuple[RepoFile, ...]
    quant: str
    reason: str

    @property
    def size_bytes(self) -> int:
        return _size_bytes(self.files)


def choose_quantisation(
    files: Iterable[RepoFile], wanted: str | None, free_memory_bytes: int
) -> Choice:
    """The quantisation that was `wanted`, or the first of `PREFERENCE` that fits with room.

    What was asked for by name is taken even if it is too large: the reason says so. Raises
    CannotChoose.
    """
    models = quantisations(files)
    if not models:
        raise CannotChoose("It has no .gguf file of a model, or parts of it are missing.")
    if wanted is not None:
        return _as_wanted(models, _spelling(wanted), free_memory_bytes)
    fitting = [label for label in models if _fits(models[label], free_memory_bytes)]
    if not fitting:
        raise CannotChoose(
            f"None of it fits into {size_text(free_memory_bytes)} of free memory. There are: "
            f"{_listing(models)}. Free some memory, choose a smaller model, or name one of them "
            f"to try it all the same, as in org/repo:{_smallest(models)}"
        )
    label = fitting[0]
    return Choice(models[label], label, _reason(models, label, free_memory_bytes))


def quantisations(files: Iterable[RepoFile]) -> dict[str, tuple[RepoFile, ...]]:
    """The complete models among `files` by label, in order of preference.

    The label of a file that names no quantisation is its own name. Where several have one label,
    the shortest name wins.
    """
    by_name = {file.name: file for file in files if _is_model(file.name)}
    models: dict[str, tuple[RepoFile, ...]] = {}
    for name in sorted(by_name, key=lambda name: (len(name), name)):
        directory, slash, base = name.rpartition("/")
        try:
            parts = [f"{directory}{slash}{part}" for part in gguf_parts(base)]
        except BadSource:
            continue
        if parts[0] == name and all(part in by_name for part in parts):
            models.setdefault(label_of(name), tuple(by_name[part] for part in parts))
    return dict(sorted(models.items(), key=lambda item: (_rank(item[0]), _size_bytes(item[1]))))


def label_of(name: str) -> str:
    """The quantisation that a file's name speaks of, in capitals: the last one in its path."""
    stem = re.sub(r"(-[0-9]{5}-of-[0-9]{5})?\.gguf$", "", name)
    labels = _LABEL.findall(stem)
    return _spelling(labels[-1]) if labels else stem.rpartition("/")[2].upper()


def size_text(size_bytes: int) -> str:
    """For people: "4.9 GB". Decimal, as the hub and the makers of disks count."""
    for unit, unit_bytes in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= unit_bytes:
            return f"{size_bytes / unit_bytes:.1f} {unit}"
    return f"{size_bytes} bytes"


def _as_wanted(
    models: dict[str, tuple[RepoFile, ...]], wanted: str, free_memory_bytes: int
) -> Choice:
    if wanted not in models:
        close = difflib.get_close_matches(wanted, models, n=1)
        hint = f"Did you mean {close[0]} ? " if close else ""
        raise CannotChoose(f"It has no {wanted}. {hint}There are: {_listing(models)}.")
    chosen = models[wanted]
    reason = f"{wanted} ({size_text(_size_bytes(chosen))}), as asked for."
    if not _fits(chosen, free_memory_bytes):
        reason += (
            f" It needs about {size_text(_needed_bytes(chosen))} of memory, and "
            f"{size_text(free_memory_bytes)} are free."
        )
    return Choice(chosen, wanted, reason)


def _reason(models: dict[str, tuple[RepoFile, ...]], label: str, free_memory_bytes: int) -> str:
    needed, free = size_text(_needed_bytes(models[label])), size_text(free_memory_bytes)
    sentence = f"{label} ({size_text(_size_bytes(models[label]))}): "
    if free_memory_bytes == NO_BOUND_BYTES:
        return f"{sentence}the best choice."
    if len(models) == 1:
        return f"{sentence}the only one there is; it needs about {needed} of {free} free memory."
    favourite = next(iter(models))
    if favourite == label:
        return f"{sentence}the best choice; it needs about {needed} of {free} free memory."
    too_large = size_text(_needed_bytes(models[favourite]))
    return (
        f"{sentence}it needs about {needed} of {free} free memory, where {favourite} would need "
        f"{too_large}."
    )


def _is_model(name: str) -> bool:
    return name.lower().endswith(".gguf") and not SIDE_FILES.search(name)


def _spelling(label: str) -> str:
    return _SPELLINGS.get(label.upper(), label.upper())


def _rank(label: str) -> int:
    plain = label.removeprefix("UD-")
    return PREFERENCE.index(plain) if plain in PREFERENCE else len(PREFERENCE)


def _size_bytes(files: Sequence[RepoFile]) -> int:
    return sum(file.size_bytes for file in files)


def _needed_bytes(files: Sequence[RepoFile]) -> int:
    return int(_size_bytes(files) * (1 + ROOM_SHARE)) + ROOM_BYTES


def _fits(files: Sequence[RepoFile], free_memory_bytes: int) -> bool:
    return _needed_bytes(files) <= free_memory_bytes


def _smallest(models: dict[str, tuple[RepoFile, ...]]) -> str:
    return min(models, key=lambda label: _size_bytes(models[label]))


def _listing(models: dict[str, tuple[RepoFile, ...]]) -> str:
    by_size = sorted(models, key=lambda label: _size_bytes(models[label]))
    return ", ".join(f"{label} ({size_text(_size_bytes(models[label]))})" for label in by_size)

"""Where the three tiny models lie on disk. Importing this loads no model and no library."""

from pathlib import Path

NAMES = ("tiny-chat", "tiny-embed", "tiny-draw")


def path(name: str) -> Path:
    """The directory that holds the files of the model `name`."""
    if name not in NAMES:
        raise KeyError(f"no tiny model is called {name!r}; there are {', '.join(NAMES)}")
    return Path(__file__).parent / name

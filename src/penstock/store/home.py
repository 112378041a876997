"""The state directory: database, pepper, and who may look at them."""

from pathlib import Path

from penstock.store.database import open_database
from penstock.store.keys import KeyStore, KeyWatch, read_pepper


class CannotOpenHome(Exception):
    """The state directory cannot be made or used; the text is a sentence for a person."""


def open_keys(home: Path) -> tuple[KeyStore, KeyWatch, bytes]:
    """The keys kept under `home`, a watch on them, and the pepper.

    Raises CannotOpenHome, NewerDatabase.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        pepper = read_pepper(home / "pepper")
        database = open_database(home / "penstock.db")
    except OSError as error:
        raise CannotOpenHome(
            f"Cannot use the state directory {home}: {error.strerror}. Set PENSTOCK_HOME."
        ) from None
    return KeyStore(database, pepper), KeyWatch(database), pepper

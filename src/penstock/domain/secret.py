"""A key of someone else's server, kept out of logs, errors and `repr`."""

import re

#: What may stand in a header's value; a line break would begin another header.
_HEADER_TEXT = re.compile(r"[!-~]+")
HIDDEN = "***"


class BadSecret(ValueError):
    """It cannot be sent in a header. The text does not show it."""


class Secret:
    """A text that is shown to nobody but the server it is for: `reveal` it there only."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Raises BadSecret for what has spaces, line breaks or letters beyond ASCII."""
        if not _HEADER_TEXT.fullmatch(text):
            raise BadSecret("a key has visible ASCII characters only, and no spaces")
        self._text = text

    def reveal(self) -> str:
        return self._text

    def hide_in(self, text: str) -> str:
        """The text without the key, should a server have repeated it."""
        return text.replace(self._text, HIDDEN)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN!r})"

    def __reduce__(self) -> str:
        raise TypeError("A secret is not pickled.")

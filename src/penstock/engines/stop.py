"""Stop strings, found by us and not by the engine.

Engines differ in what they do with text held back at the end of a stream, with stops that span
tokens and with the log-probabilities of a stop's tokens. OpenAI's rule, which holds here for all of
them: the answer is exactly the text before the first match, and what was held back because it might
have begun a stop is flushed when generation ends otherwise. Of stops within each other the one that
is complete first counts, since with it generation ends.
"""

from penstock.domain.event import Event, ScoredText, Text, TokenLogprob


class StopScanner:
    """Feeds on text events, gives back the part that surely comes before any stop."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._longest = max(map(len, stops))
        self._held: list[Text | ScoredText] = []
        self._text = ""
        self.matched = False

    def feed(self, event: Text | ScoredText) -> list[Event]:
        """Events that may be sent now. After a match, `matched` is set and nothing more is due."""
        self._held.append(event)
        self._text += event.text
        at = _earliest(self._text, self._stops)
        if at is not None:
            self.matched = True
            before = self._release(at)
            self._held = []
            self._text = ""
            return before
        return self._release(self._safe_length())

    def flush(self) -> list[Event]:
        """What was held back, when generation ended without a match."""
        return self._release(len(self._text))

    def _safe_length(self) -> int:
        """How much of the held text no stop can reach into."""
        text = self._text
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            if any(stop.startswith(text[start:]) for stop in self._stops):
                return start
        return len(text)

    def _release(self, length: int) -> list[Event]:
        """Give out the first `length` characters, whole events where possible."""
        out: list[Event] = []
        while self._held and (length or not self._held[0].text):
            event = self._held[0]
            if len(event.text) <= length:
                self._held.pop(0)
                length -= len(event.text)
                self._text = self._text[len(event.text) :]
                out.append(event)
            elif isinstance(event, Text):
                if length:
                    out.append(Text(event.text[:length], tokens=0))
                self._held[0] = Text(event.text[length:], tokens=event.tokens)
                self._text = self._text[length:]
                length = 0
            else:
                kept, left = _split(event, length)
                if kept.text or self.matched:
                    out.append(kept)
                self._held[0] = left
                self._text = self._text[len(kept.text) :]
                break
        return out


def _earliest(text: str, stops: tuple[str, ...]) -> int | None:
    """Where the stop begins that is complete first: there generation ends, however text is cut."""
    found = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    return min(found)[1] if found else None


def _split(event: ScoredText, length: int) -> tuple[ScoredText, ScoredText]:
    """Split at a character; a token belongs to the side on which it begins."""
    kept: list[TokenLogprob] = []
    rest = list(event.logprobs)
    size = 0
    while rest and size + len(rest[0].token) <= length:
        size += len(rest[0].token)
        kept.append(rest.pop(0))
    return (
        ScoredText(event.text[:length], tuple(kept)),
        ScoredText(event.text[length:], tuple(rest)),
    )

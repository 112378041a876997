"""The whole way from a caption to PNG bytes."""

from collections.abc import Callable
from pathlib import Path

from penstock_tiny_models.draw import compose, program, raster
from penstock_tiny_models.draw.program import Picture
from penstock_tiny_models.draw.writer import Writer

SMALLEST, LARGEST = 16, 4096  # sides of a picture, in pixels


class Stopped(Exception):
    """The caller asked to stop before the picture was done."""


class Drawer:
    """Draws pictures with the model in a directory. One call at a time."""

    def __init__(self, path: Path) -> None:
        self._writer = Writer(path)

    def draw(
        self,
        prompt: str,
        *,
        width: int,
        height: int,
        seed: int,
        keep_going: Callable[[], bool] = lambda: True,
    ) -> bytes:
        """PNG bytes; the same for the same arguments.

        `keep_going` is asked before every step; when it says no, Stopped is raised.
        """
        if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
            raise ValueError(f"width and height must be from {SMALLEST} to {LARGEST} pixels")
        picture = self.picture(prompt, seed=seed, keep_going=keep_going)
        marks = compose.marks_of(picture, width, height, seed)
        _go_on(keep_going)
        image = raster.pixels(marks, width, height)
        _go_on(keep_going)
        return raster.png(image)

    def picture(
        self, prompt: str, *, seed: int, keep_going: Callable[[], bool] = lambda: True
    ) -> Picture:
        """What was understood: the drawing program before it is drawn."""
        tokens: list[str] = []
        for token in self._writer.write(prompt, seed):
            tokens.append(token)
            _go_on(keep_going)
        return program.parse(tokens)


def _go_on(keep_going: Callable[[], bool]) -> None:
    if not keep_going():
        raise Stopped

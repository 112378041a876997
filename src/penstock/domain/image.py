"""What an image engine is asked for: one picture."""

import msgspec


class ImageCall(msgspec.Struct, frozen=True, kw_only=True):
    """Sides are in pixels. The same call gives the same picture, byte for byte."""

    prompt: str
    width: int
    height: int
    seed: int


class ImageSizes(msgspec.Struct, frozen=True, kw_only=True):
    """The sides a model can make, in pixels: from `smallest` to `largest`, multiples of `step`."""

    smallest: int
    largest: int
    step: int = 1
    default: int = 1024

    def allow(self, width: int, height: int) -> bool:
        return all(
            self.smallest <= side <= self.largest and side % self.step == 0
            for side in (width, height)
        )

    def __str__(self) -> str:
        step = f", in steps of {self.step}" if self.step > 1 else ""
        return f"each side from {self.smallest} to {self.largest} pixels{step}"

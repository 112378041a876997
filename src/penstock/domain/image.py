"""What an image engine is asked for: one picture."""

from collections.abc import Callable

import msgspec

from penstock.domain.picture import Format


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """What all calls have in common. Sides are in pixels.

    The same call gives the same picture: byte for byte when engines draw one at a time, within one
    level of each pixel where they draw several together. None leaves the choice to the model; what
    a model cannot honour never reaches its engine. `adapter` names a LoRA of the engine's.
    `compression` is OpenAI's `output_compression`: of a JPEG or WebP, 0 is the smallest file and
    100 the finest picture. At most `previews` pictures that are half made are wanted on the way.
    """

    width: int
    height: int
    seed: int
    negative_prompt: str | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    adapter: str | None = None
    format: Format = "png"
    compression: int = 100
    previews: int = 0

    def preview_steps(self, steps: int) -> frozenset[int]:
        """After which of `steps` a preview comes: at even distances, never at the ends."""
        shares = (at / (self.previews + 1) for at in range(1, self.previews + 1))
        return frozenset(round(steps * share) for share in shares) - {0, steps}


class ImageCall(Drawing, frozen=True, kw_only=True, tag="generation", tag_field="task"):
    """A picture of a prompt."""

    prompt: str


class ImageEdit(Drawing, frozen=True, kw_only=True, tag="edit", tag_field="task"):
    """`image` anew where the alpha of `mask`, or without one its own, is not full. Both are files,
    of `width` times `height` pixels."""

    prompt: str
    image: bytes
    mask: bytes | None


class ImageVariation(Drawing, frozen=True, kw_only=True, tag="variation", tag_field="task"):
    """Another picture like `image`, which is a file."""

    image: bytes


AnyImageCall = ImageCall | ImageEdit | ImageVariation


class Progress(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """So many steps of a picture have been made, of so many; at times with what it looks like."""

    step: int
    steps: int
    preview: bytes | None = None


#: Who hears how a picture gets on.
Told = Callable[[Progress], None]


def unheard(progress: Progress) -> None:
    """For who does not care."""


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

"""A picture model in memory: diffusers' pipelines of one set of weights, and how to call them."""

import ctypes
import gc
import inspect
import logging
import math
import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers
import msgspec
import torch
from PIL import Image
from tokenizers import Tokenizer

from penstock.domain.image import AnyImageCall, ImageEdit, ImageSizes, ImageVariation, Progress
from penstock.engines import attributes
from penstock.engines.diffusers.memory import size
from penstock.engines.workers.picture_batching import AfterStep, TooMuch
from penstock.engines.workers.pictures import Unusable, opened, to_file

log = logging.getLogger(__name__)

SMALLEST_SIDE = 64
LARGEST_SIDE = 2048
#: How much of a given picture is painted anew: of one that is varied, and where a mask says so.
VARIED = 0.75
MASKED = 1.0
#: A pipeline with this parameter has been taught to follow prompts without a negative one.
DISTILLED = "true_cfg_scale"
#: FLUX without an input for guidance is its quick sibling: FLUX.1-schnell's own page says so.
QUICK = {"num_inference_steps": 4, "guidance_scale": 0.0, "max_sequence_length": 256}
#: Below it nothing is compared with the negative prompt.
LEAST_GUIDANCE = 1.0
#: What a batch may hold, in pixels. A CPU is no faster with more (docs/performance.md); of a GPU it
#: is the memory that counts, of which a batch that is too large finds the bound.
MOST_CPU_PIXELS = 8 * 256 * 256
MOST_GPU_PIXELS = 4 * 1024 * 1024
TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")
SEQUENCE_LENGTH = "max_sequence_length"
UNLIMITED = 1 << 30
#: What oneDNN, which computes for torch on a CPU, says when it gets no memory. It says so ever
#: after, also when there is memory again (oneDNN of torch 2.13).
ONEDNN_BROKE = "could not create a primitive"
NO_MEMORY = ("can't allocate memory", ONEDNN_BROKE)


class CannotLoad(Exception):
    """The model cannot be loaded; the text says why in a sentence."""


class Left(Exception):
    """Nobody waits for the pictures any more."""


class Kind(msgspec.Struct, frozen=True):
    """A way to make pictures: the pipeline that does, and what it can be told."""

    pipeline: Any
    accepts: frozenset[str]

    @classmethod
    def of(cls, pipeline: Any) -> "Kind":
        return cls(pipeline, frozenset(inspect.signature(pipeline.__call__).parameters))


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A call that has been looked at: what it needs is decoded, what the model chooses is chosen.

    `mask` is white where the picture is to be painted anew.
    """

    call: AnyImageCall
    kind: str
    prompt: str
    steps: int
    guidance: float | None
    image: Image.Image | None = None
    mask: Image.Image | None = None

    @property
    def pixels(self) -> int:
        return self.call.width * self.call.height

    @property
    def likeness(self) -> Hashable:
        call = self.call
        negative = call.negative_prompt is not None
        sides = call.width, call.height
        return self.kind, call.adapter, *sides, self.steps, self.guidance, negative


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator chose for those who say nothing; None: the model's own."""

    num_inference_steps: int | None = None
    guidance_scale: float | None = None


class Painter:
    """Paints, in one thread, and looks at calls, in one other."""

    def __init__(self, pipeline: Any, *, defaults: Defaults, adapters: Mapping[str, Path]) -> None:
        """Raises CannotLoad for an adapter of another model."""
        self._slots = _adapt(pipeline, adapters)
        self._worn: str | None = None
        self._shows_previews = True
        self.kinds = {"new": Kind.of(pipeline)}
        for kind, automatic in (
            ("varied", diffusers.AutoPipelineForImage2Image),
            ("masked", diffusers.AutoPipelineForInpainting),
        ):
            try:
                self.kinds[kind] = Kind.of(automatic.from_pipe(pipeline))
            except ValueError:
                log.info("there is no such pipeline: %s", kind)
        for each in self.kinds.values():
            each.pipeline.set_progress_bar_config(disable=True)
        self.pipeline = pipeline
        self.steps, self.guidance, self.sequence_length = _choices(self.kinds["new"], defaults)
        self._readers = _readers(pipeline, self.sequence_length)

    # -- what it can do ----------------------------------------------------------------------

    @property
    def tasks(self) -> frozenset[str]:
        edits = {"image_edits"} if self.kinds.keys() & {"varied", "masked"} else set()
        variations = {"image_variations"} if "varied" in self.kinds else set()
        return frozenset({"images"} | edits | variations)

    @property
    def attributes(self) -> frozenset[str]:
        """Of `attributes.DIFFUSION`, what changes this model's pictures."""
        accepts = self.kinds["new"].accepts
        deaf = set()
        if DISTILLED in accepts:
            deaf.add("negative_prompt")
            if not self.pipeline.transformer.config.get("guidance_embeds"):
                deaf.add("guidance_scale")
        return (attributes.DIFFUSION & accepts) - deaf

    @property
    def sizes(self) -> ImageSizes:
        pipeline = self.pipeline
        latent = getattr(pipeline, "vae_scale_factor", 8)
        step = math.lcm(8, latent, pipeline.image_processor.config.vae_scale_factor)
        side = _trained_side(pipeline, latent)
        smallest = math.ceil(SMALLEST_SIDE / step) * step
        return ImageSizes(
            smallest=smallest,
            largest=LARGEST_SIDE // step * step,
            step=step,
            default=min(max(side // step * step, smallest), LARGEST_SIDE // step * step),
        )

    @property
    def most_pixels(self) -> int:
        on_cpu = self.pipeline._execution_device.type == "cpu"
        return MOST_CPU_PIXELS if on_cpu else MOST_GPU_PIXELS

    # -- looking at a call ---------------------------------------------------------------------

    def look_at(self, call: AnyImageCall) -> Picture:
        """Raises Unusable."""
        steps = call.num_inference_steps or self.steps
        guidance = self.guidance if call.guidance_scale is None else call.guidance_scale
        if call.negative_prompt and guidance is not None and guidance <= LEAST_GUIDANCE:
            raise Unusable(
                "negative_prompt",
                f"'negative_prompt' changes nothing while 'guidance_scale' is {guidance:g}: it "
                f"must be more than {LEAST_GUIDANCE:g}.",
            )
        self._check_length(call.negative_prompt or "", "negative_prompt")
        prompt = "" if isinstance(call, ImageVariation) else call.prompt
        self._check_length(prompt, "prompt")
        kind, image, mask = "new", None, None
        if isinstance(call, ImageVariation):
            kind = "varied"
            image = _flat(opened(call.image, "image")).resize((call.width, call.height))
        elif isinstance(call, ImageEdit):
            image, mask = _given(call)
            kind = "varied" if mask is None else "masked"
        if kind not in self.kinds:
            raise Unusable("mask" if mask else "image", f"No picture can be {kind} by this model.")
        return Picture(
            call=call, kind=kind, prompt=prompt, steps=steps, guidance=guidance, image=image,
            mask=mask,
        )  # fmt: skip

    def _check_length(self, text: str, param: str) -> None:
        """Raises Unusable for what no tokenizer of the model would read to its end."""
        needed = [(len(tokenizer.encode(text).ids), most) for tokenizer, most in self._readers]
        if needed and all(count > most for count, most in needed):
            lengths = (f"{count} tokens of at most {most}" for count, most in needed)
            raise Unusable(
                param,
                f"'{param}' is longer than this model reads: {', or '.join(lengths)}.",
                code="context_length_exceeded",
            )

    # -- painting ------------------------------------------------------------------------------

    def paint(self, pictures: Sequence[Picture], go_on: AfterStep) -> list[bytes]:
        """Files of pictures that are alike. Raises TooMuch, Left."""
        self._wear(pictures[0].call.adapter)
        had_onednn = torch.backends.mkldnn.enabled
        made = self._made(pictures, go_on)
        if made is None and torch.backends.mkldnn.enabled != had_onednn:
            _give_back_memory()
            made = self._made(pictures, go_on)
        if made is None:
            _give_back_memory()
            raise TooMuch(_what_was_too_much(pictures))
        return [to_file(_kept(p, image), p.call) for p, image in zip(pictures, made, strict=True)]

    def _made(self, pictures: Sequence[Picture], go_on: AfterStep) -> list[Image.Image] | None:
        """None: there was not enough memory. An error would keep what the pipeline had come to."""
        pipeline = self.kinds[pictures[0].kind].pipeline
        try:
            return list(pipeline(**self._arguments(pictures, go_on)).images)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if ONEDNN_BROKE in str(error):
                # It stays broken, though memory is there again.
                torch.backends.mkldnn.enabled = False
                log.warning(
                    "memory ran out: until this model is started anew it draws without oneDNN"
                )
            return None

    def _arguments(self, pictures: Sequence[Picture], go_on: AfterStep) -> dict[str, Any]:
        """What the pipeline is called with, of all that could be said only what it takes."""
        first = pictures[0]
        kind = self.kinds[first.kind]
        steps = _enough(first)

        def after_step(_: Any, step: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            done, of = step + 1, getattr(kind.pipeline, "num_timesteps", steps)
            previews = self._previews(pictures, kind.pipeline, tensors["latents"], done, of)
            if not go_on([Progress(done, of, preview) for preview in previews]):
                raise Left
            return tensors

        told = {
            "prompt": [picture.prompt for picture in pictures],
            "generator": [_generator(picture.call.seed) for picture in pictures],
            "width": first.call.width,
            "height": first.call.height,
            "num_inference_steps": steps,
            "guidance_scale": first.guidance,
            "max_sequence_length": self.sequence_length,
            "callback_on_step_end": after_step,
        }
        if first.call.negative_prompt is not None:
            told["negative_prompt"] = [picture.call.negative_prompt for picture in pictures]
        if first.image is not None:
            told["image"] = [picture.image for picture in pictures]
            told["strength"] = VARIED if first.mask is None else MASKED
        if first.mask is not None:
            told["mask_image"] = [picture.mask for picture in pictures]
        return {n: value for n, value in told.items() if n in kind.accepts and value is not None}

    def _previews(
        self, pictures: Sequence[Picture], pipeline: Any, latents: Any, done: int, of: int
    ) -> list[bytes | None]:
        """The files of those pictures that want one after this step."""
        wanted = [done in picture.call.preview_steps(of) for picture in pictures]
        none: list[bytes | None] = [None] * len(pictures)
        if not (any(wanted) and self._shows_previews):
            return none
        try:
            made = iter(half_made(pipeline, latents[torch.tensor(wanted)], pictures[0].call))
        except Exception:
            # A model whose latents are of another kind; its pictures come all the same.
            log.warning("there are no previews of this model's pictures", exc_info=True)
            self._shows_previews = False
            return none
        return [
            to_file(_kept(picture, next(made)), picture.call) if wants else None
            for picture, wants in zip(pictures, wanted, strict=True)
        ]

    def _wear(self, adapter: str | None) -> None:
        if adapter == self._worn:
            return
        if adapter is None:
            self.pipeline.disable_lora()
        else:
            self.pipeline.enable_lora()
            self.pipeline.set_adapters([self._slots[adapter]], [1.0])
        self._worn = adapter


def half_made(pipeline: Any, latents: Any, call: AnyImageCall) -> list[Image.Image]:
    """What `latents` [pictures, ...] look like, read as the pipeline reads them at its end."""
    if hasattr(pipeline, "_unpack_latents"):  # FLUX keeps them as rows of patches
        scale = pipeline.vae_scale_factor
        latents = pipeline._unpack_latents(latents, call.height, call.width, scale)
    vae = pipeline.vae
    latents = latents / vae.config.scaling_factor + (vae.config.get("shift_factor") or 0.0)
    pixels = vae.decode(latents.to(vae.dtype), return_dict=False)[0]
    return list(pipeline.image_processor.postprocess(pixels.detach(), output_type="pil"))


def _give_back_memory() -> None:
    """What is free by now goes back to the system: there may be need of it elsewhere."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def _adapt(pipeline: Any, adapters: Mapping[str, Path]) -> dict[str, str]:
    """Loads adapters, and leaves them off. Each one's name in the pipeline, which must hold no
    dots. Raises CannotLoad."""
    slots = {name: f"adapter_{at}" for at, name in enumerate(adapters)}
    for name, path in adapters.items():
        what = f"The adapter {name!r} of {path}"
        if not hasattr(pipeline, "load_lora_weights"):
            raise CannotLoad(f"{what} is of no use: a {type(pipeline).__name__} takes none.")
        try:
            pipeline.load_lora_weights(
                str(path.parent), weight_name=path.name, adapter_name=slots[name]
            )
        except Exception as error:
            raise CannotLoad(
                f"{what} does not fit a {type(pipeline).__name__} of this size: {first_line(error)}"
            ) from None
        if not any(slots[name] in found for found in pipeline.get_list_adapters().values()):
            raise CannotLoad(f"{what} changes nothing of a {type(pipeline).__name__}.")
    if adapters:
        pipeline.disable_lora()
    return slots


def _choices(kind: Kind, defaults: Defaults) -> tuple[int, float | None, int | None]:
    """Steps, guidance and tokens of a prompt, for those who say nothing."""
    known = {
        name: parameter.default
        for name, parameter in inspect.signature(kind.pipeline.__call__).parameters.items()
    }
    if DISTILLED in known and not kind.pipeline.transformer.config.get("guidance_embeds", True):
        known |= QUICK
    steps = defaults.num_inference_steps or known["num_inference_steps"]
    guidance = known.get("guidance_scale")
    if defaults.guidance_scale is not None:
        guidance = defaults.guidance_scale
    return steps, guidance, known.get(SEQUENCE_LENGTH)


def _readers(pipeline: Any, sequence_length: int | None) -> list[tuple[Tokenizer, int]]:
    """Copies of the tokenizers, and how many tokens are read of what each makes.

    Copies, since a tokenizer must not be used by two threads at a time.
    """
    readers = []
    for name in TOKENIZERS:
        tokenizer = getattr(pipeline, name, None)
        if tokenizer is not None and tokenizer.is_fast:
            own = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
            own.no_truncation()
            own.no_padding()
            readers.append((own, min(tokenizer.model_max_length, sequence_length or UNLIMITED)))
    return readers


def _trained_side(pipeline: Any, latent: int) -> int:
    """The side of the pictures that it was trained with, in pixels."""
    unet = getattr(pipeline, "unet", None)
    side = getattr(pipeline, "default_sample_size", unet.config.sample_size if unet else None)
    return side * latent if isinstance(side, int) else 1024


def _generator(seed: int) -> torch.Generator:
    """One a picture, on the CPU: so a seed means the same alone, in a batch, and on any device."""
    return torch.Generator("cpu").manual_seed(seed)


def _enough(picture: Picture) -> int:
    """So many steps that at least one is left when a picture is varied."""
    return max(picture.steps, math.ceil(1 / VARIED)) if picture.image else picture.steps


def _flat(image: Image.Image) -> Image.Image:
    return image.convert("RGBA").convert("RGB")


def _given(call: ImageEdit) -> tuple[Image.Image, Image.Image | None]:
    """The picture of an edit, and what of it is to be painted anew; None: all. Raises Unusable."""
    image = opened(call.image, "image").convert("RGBA")
    shape = image if call.mask is None else opened(call.mask, "mask").convert("RGBA")
    kept = shape.getchannel("A")
    if kept.getextrema()[0] == 255:
        if call.mask is not None:
            raise Unusable("mask", "Nothing is to be edited: 'mask' is nowhere transparent.")
        return image.convert("RGB"), None
    return image.convert("RGB"), kept.point(lambda alpha: 255 - alpha)


def _kept(picture: Picture, made: Image.Image) -> Image.Image:
    """What was made, and where a mask says so the picture as it was."""
    if picture.mask is None or picture.image is None:
        return made
    return Image.composite(made, picture.image, picture.mask)


def is_out_of_memory(error: Exception) -> bool:
    """torch has an error of its own for GPUs only; of the CPU's it tells in words."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in NO_MEMORY)


def emptiest_gpu() -> tuple[int, int]:
    """Its number and its free bytes; 0 bytes: there is none."""
    free = [(torch.cuda.mem_get_info(at)[0], at) for at in range(torch.cuda.device_count())]
    free_bytes, gpu = max(free, default=(0, 0))
    return gpu, free_bytes


def _what_was_too_much(pictures: Sequence[Picture]) -> str:
    call = pictures[0].call
    gpu_bytes = emptiest_gpu()[1]
    free = f", of which {size(gpu_bytes)} are free" if gpu_bytes else ""
    return (
        f"There is not enough memory{free} for {len(pictures)} at a time of {call.width}x"
        f"{call.height} pixels"
    )


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:500] or type(error).__name__

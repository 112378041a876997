"""Picture models by diffusers: a directory with `model_index.json`, a worker of ours, its dialect.

The worker may run in an interpreter of its own, since what it needs is large and has its own mind
about versions.
"""

import importlib.util
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from itertools import chain
from pathlib import Path
from typing import ClassVar

import msgspec

from penstock.domain.errors import ContextLengthExceeded, EngineFailed, InvalidRequest
from penstock.domain.gpu import Gpu
from penstock.domain.image import AnyImageCall, ImageSizes, Progress, Told, unheard
from penstock.domain.model import Capabilities, Task
from penstock.engines import attributes
from penstock.engines.base import CannotStart, Engine, Launch, local_client
from penstock.engines.chunks import error_message
from penstock.engines.diffusers.memory import GpuPart, ImagePlan, part_of_gpu, plan_images, size
from penstock.engines.diffusers.pipeline_files import NotAPipeline, PipelineFiles
from penstock.engines.workers import guest
from penstock.http.client import DEFAULT_TIMEOUTS, Broken, Client, Exchange, Timeouts

WORKER = "penstock.engines.workers.diffusers"
INSTALL = "pip install 'penstock[images]'"
#: A picture of noise with sides of 2048 pixels, in base64, is 17 MB.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
NO_ADAPTERS: Mapping[str, Path] = {}
#: What diffusers calls the file of a LoRA in a directory.
ADAPTER_FILE = "pytorch_lora_weights.safetensors"


class _Properties(msgspec.Struct):
    tasks: frozenset[Task]
    attributes: frozenset[str]
    sizes: ImageSizes


class _Said(msgspec.Struct):
    """A line of the worker's: how far it is, or the picture."""

    step: int = 0
    steps: int = 0
    preview: bytes | None = None
    picture: bytes | None = None


def adapter_file(path: Path) -> Path:
    """The file of a LoRA, which may be named by its directory. Raises CannotStart."""
    file = path / ADAPTER_FILE if path.is_dir() else path
    if not file.is_file():
        raise CannotStart(f"There is no adapter at {file}.")
    if file.suffix != ".safetensors":
        raise CannotStart(f"The adapter {file} is no .safetensors, and other formats are not read.")
    return file.absolute()


class Diffusers(Engine):
    """`directory` holds a pipeline as diffusers saves it, `transformer` a GGUF file that stands for
    its transformer. `adapters` are LoRAs by the names that calls give them. `python` is an
    interpreter that has diffusers; None: our own. `gpus` are those that it may use one of.

    `slots` is how many pictures the worker may draw together.
    """

    name: ClassVar[str] = "diffusers"

    def __init__(
        self,
        directory: Path,
        *,
        free_memory_bytes: int,
        gpus: Sequence[Gpu] = (),
        python: Path | None = None,
        transformer: Path | None = None,
        adapters: Mapping[str, Path] = NO_ADAPTERS,
        steps: int | None = None,
        guidance: float | None = None,
        threads: int = 1,
        slots: int = 8,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self.directory = directory.absolute()
        self.free_memory_bytes = free_memory_bytes
        self.gpus = gpus
        self.python = python
        self.transformer = transformer
        self.adapters = tuple(adapters)
        self._adapter_files = {name: adapter_file(path) for name, path in adapters.items()}
        self.steps = steps
        self.guidance = guidance
        self.threads = threads
        self.slots = slots
        self.timeouts = timeouts

    def launch(self, run_dir: Path) -> Launch:
        plan, part = self._plan()
        socket_path = run_dir / "s.sock"
        options = {
            "--socket": socket_path,
            "--model": self.directory,
            "--dtype": plan.dtype,
            "--threads": self.threads,
            "--batch": self.slots,
            "--transformer": self.transformer,
            "--steps": self.steps,
            "--guidance": self.guidance,
        }
        given = [(name, str(value)) for name, value in options.items() if value is not None]
        adapters = [("--adapter", name, str(file)) for name, file in self._adapter_files.items()]
        return Launch(
            argv=(*self._interpreter(), *chain(*given, *adapters)),
            socket_path=socket_path,
            environment={
                **self._visible(part),
                "OMP_NUM_THREADS": str(self.threads),
                "OPENBLAS_NUM_THREADS": "1",
                "TOKENIZERS_PARALLELISM": "false",
                "TRANSFORMERS_VERBOSITY": "error",
                "DIFFUSERS_VERBOSITY": "error",
            },
            memory_bytes=plan.total_bytes,
            memory_reason=plan.reason if part is None else f"{plan.reason}; {_of_gpu(part)}",
            gpus=() if part is None else (part.gpu.index,),
            gpu_bytes=0 if part is None else part.part_bytes,
        )

    def _visible(self, part: GpuPart | None) -> dict[str, str]:
        """What it sees of the GPUs that are known here: its own, or none."""
        if not self.gpus:
            return {}
        index = "" if part is None else str(part.gpu.index)
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": index}

    def _plan(self) -> tuple[ImagePlan, GpuPart | None]:
        if self.transformer is not None and not self.transformer.is_file():
            raise CannotStart(f"There is no file {self.transformer}.")
        try:
            files = PipelineFiles.read(self.directory)
        except NotAPipeline as error:
            raise CannotStart(str(error)) from None
        quantised_bytes = self.transformer.stat().st_size if self.transformer else None
        plan = plan_images(
            files,
            free_bytes=self.free_memory_bytes,
            quantised_bytes=quantised_bytes,
            has_gpu=bool(self.gpus),
        )
        return plan, part_of_gpu(files, self.gpus, quantised_bytes=quantised_bytes)

    def _interpreter(self) -> tuple[str, ...]:
        """The beginning of a command line that runs the worker. Raises CannotStart."""
        if self.python is not None:
            if not self.python.is_file():
                raise CannotStart(f"diffusers_python: there is no {self.python}.")
            return (str(self.python), "-P", guest.__file__, WORKER)
        if importlib.util.find_spec("diffusers") is None or not importlib.util.find_spec("torch"):
            raise CannotStart(
                f"Picture models need diffusers, which is not installed: {INSTALL}. Or name an "
                "interpreter that has it: --diffusers-python /path/to/python"
            )
        return (sys.executable, "-m", WORKER)

    def explain(self, lines: Sequence[str]) -> str:
        """The libraries chatter before the worker says its reason."""
        return lines[-1]

    def connect(self, launch: Launch | None) -> Client:
        return local_client(launch, timeouts=self.timeouts)

    async def is_ready(self, client: Client) -> bool:
        async with client.get("/health") as exchange:
            return exchange.status == 200

    async def inspect(self, client: Client) -> Capabilities:
        async with client.get("/properties") as exchange:
            body = await exchange.read()
        try:
            properties = msgspec.json.decode(body, type=_Properties)
        except msgspec.MsgspecError as error:
            raise EngineFailed(f"The picture worker's answer is not readable: {error}") from None
        return Capabilities(
            tasks=properties.tasks,
            attributes=attributes.IMAGE | properties.attributes,
            image_sizes=properties.sizes,
        )

    async def draw(self, client: Client, call: AnyImageCall, told: Told = unheard) -> bytes:
        async with client.post("/draw", msgspec.json.encode(call)) as exchange:
            if exchange.status != 200:
                raise _refusal(exchange.status, await exchange.read(MAX_ANSWER_BYTES))
            async with aclosing(_lines(exchange)) as lines:
                async for line in lines:
                    said = _said(line)
                    if said.picture is not None:
                        return said.picture
                    told(Progress(said.step, said.steps, said.preview))
        raise EngineFailed("The engine broke off its answer.")


async def _lines(exchange: Exchange) -> AsyncGenerator[bytes, None]:
    """The lines that say something. Raises Broken."""
    parts: list[bytes] = []
    size = 0
    async for batch in exchange:
        size += len(batch)
        if size > MAX_ANSWER_BYTES:
            raise Broken(f"its answer is longer than {MAX_ANSWER_BYTES} bytes", answered=True)
        *ends, rest = batch.split(b"\n")
        for end in ends:
            if line := b"".join((*parts, end)):
                yield line
            parts.clear()
        parts.append(rest)
    if line := b"".join(parts):
        yield line


def _of_gpu(part: GpuPart) -> str:
    return f"{size(part.part_bytes)} of {part.gpu.name}"


def _said(line: bytes) -> _Said:
    """Raises EngineFailed for what tells an error, or nothing."""
    try:
        said = msgspec.json.decode(line, type=_Said)
    except msgspec.MsgspecError:
        said = _Said()
    if said.picture is None and not said.steps:
        raise EngineFailed(f"The engine could not draw: {error_message(line)[0]}")
    return said


def _refusal(status: int, body: bytes) -> Exception:
    message, error = error_message(body)
    if status != 400:
        return EngineFailed(f"The engine could not draw: {message}")
    too_long = error.get("code") == ContextLengthExceeded.code
    kind = ContextLengthExceeded if too_long else InvalidRequest
    return kind(message, param=error.get("param") or "prompt")

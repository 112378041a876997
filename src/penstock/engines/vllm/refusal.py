"""What vLLM says when it refuses, and when it dies, in a sentence that tells what to do."""

import re
from collections.abc import Sequence

from penstock.domain.errors import ContextLengthExceeded, EngineFailed, InvalidRequest
from penstock.engines.chunks import error_message
from penstock.http.client import Broken, Exchange

#: vLLM repeats the field and its value behind its sentence.
REPETITION = re.compile(r"\s*\(parameter=[^)]*\)\s*$", re.DOTALL)
TOO_LONG = ("maximum context length", "longer than the maximum model length")
#: What a refusal without a field speaks of, and the field that it is about.
FIELDS = (
    ("rammar", "response_format"),
    ("regex", "response_format"),
    ("json schema", "response_format"),
    ("structured", "response_format"),
    ("hat template", "messages"),
    ("rguments", "messages"),
    ("image", "messages"),
    ("tool", "tools"),
    ("vocab", "prompt"),
)
#: Fields of vLLM's own, and what clients call them.
NAMES = {
    "input_tokens": "prompt",
    "structured_outputs": "response_format",
    "max_completion_tokens": "max_tokens",
}


async def refusal(exchange: Exchange, *, param: str) -> Exception:
    """The exception for an answer that is no 200. `param` is the field that holds the prompt."""
    try:
        message, error = error_message(await exchange.read(1024 * 1024))
    except Broken:
        message, error = "it broke off its error message", {}
    message = REPETITION.sub("", message)
    if exchange.status not in (400, 404, 413, 422):
        return EngineFailed(f"The engine answered {exchange.status}: {message}")
    if any(sign in message for sign in TOO_LONG):
        return ContextLengthExceeded(message, param=param)
    named = error.get("param")
    if isinstance(named, str):
        at_fault: str | None = NAMES.get(named, named)
    else:
        at_fault = next((field for sign, field in FIELDS if sign in message), None)
    if at_fault == "prompt":
        at_fault = param
    return InvalidRequest(f"The engine refused the request: {message}", param=at_fault)


#: Signs of a cause among vLLM's last words, and what to say of it; the first that is found counts.
#: A group in the sign goes into the sentence.
CAUSES = (
    (
        r"Model architectures \[?(?P<what>[^\]]*?)\]? are not supported",
        "vLLM does not know the architecture {what}. A newer vLLM may, or serve it as a GGUF.",
    ),
    (
        r"(?:model type|model_type) `?'?(?P<what>[\w.-]+)'?`? but Transformers does not recognize",
        "vLLM does not know models of type {what}. A newer vLLM may, or serve it as a GGUF.",
    ),
    (
        r"trust_remote_code=True|contains custom code",
        "The model needs Python code of its own, which Penstock does not run. Choose a model that "
        "vLLM knows by itself.",
    ),
    (
        r"OutOfMemoryError|CUDA out of memory|out of memory\b.*GPU|HIP out of memory",
        "The GPU's memory ran out: {line} Set a lower context_length or parallel, more "
        "tensor_parallel, or take a quantised model.",
    ),
    (
        r"No available memory for the cache blocks|larger than the available KV cache memory|"
        r"Free memory on device|is less than desired GPU memory utilization",
        "There is not enough memory for the context: {line} Set a lower context_length, a higher "
        "gpu_memory_share, or take a smaller or a quantised model.",
    ),
    (
        r"Cannot allocate memory|std::bad_alloc|DefaultCPUAllocator: can't allocate",
        "This machine's memory ran out: {line} Set a lower context_length, or take a smaller "
        "model.",
    ),
    (
        r"is not supported .*quantization|Unknown quantization method|"
        r"quantization .* not supported",
        "This machine cannot compute with the model's quantisation: {line}",
    ),
    (
        r"Error while deserializing header|SafetensorError|safetensors_rust",
        "A file of the weights is damaged: {line} Fetch it again.",
    ),
    (
        r"[Cc]an't load tokenizer|Couldn't instantiate the backend tokenizer|"
        r"Can't load the configuration|Cannot find any model weights",
        "A file of the model is missing or damaged: {line}",
    ),
    (
        r"error: (?P<what>unrecognized arguments: .*|argument .*)",
        "This vLLM does not take what Penstock asks of it ({what}). Install vLLM 0.32 or newer.",
    ),
)
#: A line that names an exception, which is worth more than those around it.
EXCEPTION = re.compile(r"\b(?:\w+\.)*(?P<kind>\w*Error|\w*Exception|Killed)\b: (?P<text>.+)")
#: Said by the processes that only notice that another has died.
CONSEQUENCES = (
    "Engine core initialization failed",
    "EngineCore encountered an issue",
    "EngineDeadError",
    "WorkerProc initialization",
    "Worker failed with error",
)
#: It goes on after these: they may speak of errors, as the one about open files.
HARMLESS = re.compile(r"^(?:\([^)]*\) )?(?:DEBUG|INFO|WARNING)\b")
PREFIX = re.compile(r"^(?:\([^)]*\) )?(?:[A-Z]+ [\d: .-]+ \[[^\]]*\] )?")


def explain(lines: Sequence[str]) -> str | None:
    """Why it died, by what it said last; None when nothing tells."""
    said = [PREFIX.sub("", line).strip() for line in lines if not HARMLESS.match(line)]
    for sign, sentence in CAUSES:
        for line in said:
            if found := re.search(sign, line):
                what = found.groupdict().get("what", "")
                return sentence.format(what=what.strip(), line=_sentence(line))
    told = [found for line in said if (found := EXCEPTION.search(line))]
    root = [each for each in told if not any(sign in each["text"] for sign in CONSEQUENCES)]
    return _ended(f"{root[-1]['kind']}: {root[-1]['text']}") if root else None


def _sentence(line: str) -> str:
    found = EXCEPTION.search(line)
    return _ended(found["text"] if found else line)


def _ended(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."

"""Which files of a repository make a model that Penstock can run, and which engine runs them."""

import re

import msgspec

from penstock.control.fetch_error import FetchError
from penstock.control.hub_cache import GRAPH, ONNX_MODEL, PIPELINE
from penstock.control.quantisation import CannotChoose, RepoFile, choose_quantisation
from penstock.domain.source import HubReference
from penstock.engines.formats.transformer import CONFIG
from penstock.engines.onnx.graph_files import is_of_graph

TOKENIZER = "tokenizer.json"
ADAPTER_CONFIG, ADAPTER = "adapter_config.json", "adapter_model.safetensors"
#: A LoRA of a picture model, as diffusers saves it.
PICTURE_ADAPTER = "pytorch_lora_weights.safetensors"
#: Of an embedding model's repository, what is fetched beside its graph; weights in other formats
#: are not.
EMBEDDING_FILES = re.compile(
    r"tokenizer\.json|config\.json|modules\.json|1_Pooling/[^/]+"
    r"|sentence_bert_config\.json|special_tokens_map\.json|tokenizer_config\.json"
    r"|preprocessor_config\.json"
)
#: Of a language model's, in safetensors: never a pickle, nor what lies in other directories than
#: those of sentence-transformers' modules.
TRANSFORMER_FILES = re.compile(
    r"[^/]+\.(safetensors|json|jinja|tiktoken)|(tokenizer|spiece)\.model|(vocab|merges)\.txt"
    r"|[0-9]_[A-Za-z]+/(config\.json|model\.safetensors)"
)
#: Of a picture model's, likewise: no pickles, nothing at the top but its index.
PIPELINE_SETTINGS = re.compile(r"[\w-]+/[\w.-]+\.(json|jinja|model|txt)")
PIPELINE_WEIGHTS = re.compile(r"[\w-]+/[\w-]+\.safetensors")
PIPELINE_COPY = re.compile(r"[\w-]+/[\w-]+\.fp16[\w-]*\.safetensors")
#: Names of the same: which processor a graph is quantised for is a matter of speed.
SAME_PRECISION = {"INT8": ("QUANTIZED", "QINT8_AVX512_VNNI", "QINT8_AVX512", "QINT8_ARM64")}


class Selection(msgspec.Struct, frozen=True):
    """Which files of a repository to take. `path` is the one to open, "" the directory itself.

    `engine` is what will run them.
    """

    files: tuple[RepoFile, ...]
    path: str
    reason: str
    engine: str


def select(
    files: tuple[RepoFile, ...], reference: HubReference, free_memory_bytes: int
) -> Selection:
    """The files of one model that Penstock can run. Raises FetchError."""
    names = {file.name for file in files}
    if ADAPTER_CONFIG in names:
        return _select_adapter(files, names, reference)
    if any(name.endswith(".gguf") for name in names):
        try:
            choice = choose_quantisation(files, reference.quantisation, free_memory_bytes)
        except CannotChoose as error:
            raise FetchError(f"{reference.repository}: {error}") from None
        return Selection(choice.files, choice.files[0].name, choice.reason, "llama_cpp")
    if PIPELINE in names:
        _refuse_quantisation(reference, "is a picture model")
        return Selection(_pipeline_files(files), "", "", "diffusers")
    if PICTURE_ADAPTER in names:
        files = tuple(file for file in files if file.name == PICTURE_ADAPTER)
        return Selection(files, "", "", "diffusers")
    if {ONNX_MODEL, TOKENIZER} <= names:
        graph = _graph(names, reference)
        wanted = [
            file
            for file in files
            if _is_of_graph(graph, file.name) or EMBEDDING_FILES.fullmatch(file.name)
        ]
        # The model comes last: where it is, all the rest is, even after an interruption.
        wanted.sort(key=lambda file: file.name == graph)
        return Selection(tuple(wanted), "" if graph == ONNX_MODEL else graph, "", "onnx")
    if CONFIG in names and any(name.endswith(".safetensors") for name in names):
        _refuse_quantisation(reference, "has its weights in safetensors")
        return Selection(_transformer_files(files), "", "", "vllm")
    raise FetchError(
        f"{reference.repository} has nothing that Penstock can run: it needs a .gguf file (text "
        f"and embeddings), .safetensors files with {CONFIG} (the same), {ONNX_MODEL} with "
        f"{TOKENIZER} (embeddings), or {PIPELINE} (pictures). It has {_some_of(names)}. Many "
        "models have a sister repository whose name ends in '-GGUF'."
    )


def _graph(names: set[str], reference: HubReference) -> str:
    """The graph of the quantisation that is wanted. Raises FetchError.

    Another than the plain one comes only when it is asked for: vectors of different precisions do
    not belong in one index.
    """
    wanted = reference.quantisation
    if wanted is None:
        return ONNX_MODEL
    found = [match for name in sorted(names) if (match := GRAPH.fullmatch(name))]
    there = {match["precision"].upper(): match[0] for match in found}
    for label in (wanted, *SAME_PRECISION.get(wanted, ())):
        if label in there:
            return there[label]
    others = ", ".join(there) or "none"
    raise FetchError(
        f"{reference.repository} has no graph of {wanted}. There are: {others}. The plain one is "
        f"there without ':{wanted}'."
    )


def _is_of_graph(graph: str, path: str) -> bool:
    directory, _, name = graph.rpartition("/")
    beside, _, other = path.rpartition("/")
    return beside == directory and is_of_graph(name, other)


def _refuse_quantisation(reference: HubReference, what: str) -> None:
    if reference.quantisation:
        raise FetchError(
            f"{reference.repository} {what}, which has no quantisations. Leave out "
            f"':{reference.quantisation}'."
        )


def _transformer_files(files: tuple[RepoFile, ...]) -> tuple[RepoFile, ...]:
    """The weights come last; without the copy in Mistral's own layout where there is another."""
    wanted = [file for file in files if TRANSFORMER_FILES.fullmatch(file.name)]
    weights = [file for file in wanted if file.name.endswith(".safetensors")]
    own = [file for file in weights if not file.name.startswith("consolidated")]
    return tuple([file for file in wanted if file not in weights] + (own or weights))


def _select_adapter(
    files: tuple[RepoFile, ...], names: set[str], reference: HubReference
) -> Selection:
    """A LoRA adapter as PEFT saves it."""
    if ADAPTER not in names:
        raise FetchError(
            f"{reference.repository} is an adapter without {ADAPTER}. Others of its files may be "
            "pickles, which can run code of whoever made them, and are not fetched."
        )
    wanted = tuple(file for file in files if file.name in (ADAPTER_CONFIG, ADAPTER))
    wanted = tuple(sorted(wanted, key=lambda file: file.name == ADAPTER))
    return Selection(wanted, "", "", "llama_cpp")


def _pipeline_files(files: tuple[RepoFile, ...]) -> tuple[RepoFile, ...]:
    """The parts of a picture model, its index last: of each part the weights, or a smaller copy of
    them where there is no other."""
    weights = [file for file in files if PIPELINE_WEIGHTS.fullmatch(file.name)]
    whole = {_directory(file) for file in weights}
    copies = [file for file in files if PIPELINE_COPY.fullmatch(file.name)]
    index = [file for file in files if file.name == PIPELINE]
    return (
        *(file for file in files if PIPELINE_SETTINGS.fullmatch(file.name)),
        *weights,
        *(file for file in copies if _directory(file) not in whole),
        *index,
    )


def _directory(file: RepoFile) -> str:
    return file.name.partition("/")[0]


def _some_of(names: set[str]) -> str:
    if not names:
        return "no files"
    shown = sorted(names)[:5]
    return ", ".join(shown) + (f" and {len(names) - 5} more files" if len(names) > 5 else "")

"""An embedding model's files, as sentence-transformers lays them out, read without the weights.

Both sides read them: the gateway to refuse a directory before it starts a process, the worker to
know how to use the graph.
"""

import json
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from penstock.engines.onnx.graph_files import size_bytes

GRAPHS = ("onnx/model.onnx", "model.onnx")
TOKENIZER = "tokenizer.json"
CONFIG = "config.json"

Pooling = Literal["cls", "max", "mean", "mean_sqrt_len", "weightedmean", "last"]
#: The switches of a pooling module, in the order in which several of them are joined.
POOLINGS: dict[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "last",
}
#: Modules after the transformer that the worker does itself; any other has weights of its own.
KNOWN_MODULES = frozenset({"Transformer", "StaticEmbedding", "Pooling", "Normalize"})
#: Models that number their positions from the padding token's id on.
OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "longformer"})

ATTENTION = "num_attention_heads"
#: Tokenizers without a limit say 1e30.
UNLIMITED_TOKENS = 10**7
DEFAULT_MAX_INPUT_TOKENS = 8192


class NotAnEmbedder(Exception):
    """The directory cannot be served; the text says in a sentence what is missing or wrong."""


class EmbedderFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What the files say. `other_modules` are steps after the graph that we cannot do.

    `vocabulary_size` None means that only the tokenizer knows; `dimensions` are the lengths to
    which the model's vectors may be cut; `width` is how many numbers a token is inside a
    transformer, and `heads` how often it compares each two of a text's, both 0 for what is none.
    `ranks` marks a cross-encoder: it reads two texts and gives one
    number.
    """

    graph: Path
    tokenizer: Path
    poolings: tuple[Pooling, ...]
    max_input_tokens: int
    vocabulary_size: int | None
    padding_id: int | None
    width: int
    heads: int
    dimensions: tuple[int, ...]
    lower_case: bool
    other_modules: tuple[str, ...]
    ranks: bool

    @classmethod
    def read(
        cls, directory: Path, graph_name: str | None = None, *, at_most_tokens: int | None = None
    ) -> Self:
        """With the graph of that name, or the usual one, and inputs of `at_most_tokens`.

        Raises NotAnEmbedder.
        """
        graph = _graph(directory, graph_name)
        config = read_settings(directory / CONFIG)
        modules = _modules(directory / "modules.json")
        pooling_path = next((path for kind, path in modules if kind == "Pooling"), "1_Pooling")
        transformer = read_settings(directory / "sentence_bert_config.json")
        return cls(
            graph=graph,
            tokenizer=directory / TOKENIZER,
            poolings=_poolings(read_settings(directory / pooling_path / CONFIG)),
            max_input_tokens=_max_input_tokens(
                config,
                transformer,
                read_settings(directory / "tokenizer_config.json"),
                at_most_tokens,
            ),
            vocabulary_size=count_of(config.get("vocab_size")),
            padding_id=count_of(config.get("pad_token_id")),
            width=(count_of(config.get("hidden_size")) or 0) if ATTENTION in config else 0,
            heads=count_of(config.get(ATTENTION)) or 0,
            dimensions=_dimensions(config.get("matryoshka_dimensions")),
            lower_case=transformer.get("do_lower_case") is True,
            other_modules=tuple(kind for kind, _ in modules if kind not in KNOWN_MODULES),
            ranks=_ranks(directory, config),
        )

    @property
    def weights_bytes(self) -> int:
        """The graph and the data files beside it."""
        return size_bytes([self.graph])


def _graph(directory: Path, graph_name: str | None) -> Path:
    if not directory.is_dir():
        raise NotAnEmbedder(f"{directory} is not a directory.")
    names = GRAPHS if graph_name is None else (graph_name,)
    graph = next((directory / name for name in names if (directory / name).is_file()), None)
    missing = [name for name in (TOKENIZER, CONFIG) if not (directory / name).is_file()]
    if graph is None:
        missing.insert(0, " or ".join(names))
    if graph is None or missing:
        raise NotAnEmbedder(
            f"{directory} is not an embedding model: it has no {', no '.join(missing)}."
        )
    return graph


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise NotAnEmbedder(f"{path} cannot be read: {error}.") from None


def read_settings(path: Path) -> dict[str, Any]:
    settings = _read(path)
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise NotAnEmbedder(f"{path} should hold a JSON object.")
    return settings


def _modules(path: Path) -> list[tuple[str, str]]:
    """Kind and directory of each module, in order."""
    modules = _read(path) or []
    try:
        return [(module["type"].rpartition(".")[2], module["path"]) for module in modules]
    except (AttributeError, KeyError, TypeError):
        raise NotAnEmbedder(f"{path} should list modules, each with type and path.") from None


def _poolings(settings: dict[str, Any]) -> tuple[Pooling, ...]:
    return tuple(how for switch, how in POOLINGS.items() if settings.get(switch)) or ("mean",)


def _max_input_tokens(
    config: dict[str, Any],
    transformer: dict[str, Any],
    tokenizer: dict[str, Any],
    at_most: int | None,
) -> int:
    """The least of what the files and the operator say."""
    positions = count_of(config.get("max_position_embeddings"))
    if positions and config.get("model_type") in OFFSET_POSITIONS:
        positions -= (count_of(config.get("pad_token_id")) or 0) + 1
    said = (
        positions,
        count_of(transformer.get("max_seq_length")),
        count_of(tokenizer.get("model_max_length")),
    )
    own = min((n for n in said if n and n < UNLIMITED_TOKENS), default=DEFAULT_MAX_INPUT_TOKENS)
    return own if at_most is None else min(own, at_most)


def _dimensions(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(sorted({n for n in map(count_of, value) if n}))


def _ranks(directory: Path, config: dict[str, Any]) -> bool:
    """Raises NotAnEmbedder for a classifier of several labels."""
    architectures = config.get("architectures") or []
    if not any(str(name).endswith("ForSequenceClassification") for name in architectures):
        return False
    labels = config.get("id2label")
    count = len(labels) if isinstance(labels, dict) else count_of(config.get("num_labels")) or 2
    if count != 1:
        raise NotAnEmbedder(
            f"{directory} sorts texts into {count} classes. What can be served is a cross-encoder "
            "with one label, for reranking, or an embedding model."
        )
    return True


def count_of(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

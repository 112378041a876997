"""A language model's directory as the hub has them, read without its weights.

    config.json                          what the model is
    *.safetensors                        its weights; those of an index must all be there
    tokenizer.json, tokenizer.model, …   its tokenizer
    chat_template.jinja, or a key of tokenizer_config.json

Weights in other formats are pickles: loading one runs whatever program it holds. They are refused.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec

from penstock.engines.formats.safetensors import SafetensorsError, read_tensors

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
#: Of sentence-transformers.
SENTENCES = "sentence_bert_config.json"
OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "longformer"})
#: Mistral's own layout repeats the weights in files of this name.
CONSOLIDATED = "consolidated"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "spiece.model")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
#: Where models that see keep what concerns their text.
TEXT_CONFIGS = ("text_config", "llm_config", "language_config", "thinker_config")
LARGEST_JSON_BYTES = 256 * 1024**2
F16_BYTES = 2


class NotATransformer(Exception):
    """The directory cannot be served; the text says in a sentence what is missing or wrong."""


class TransformerFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What the files say; None where they do not.

    `dtype` is the type of most of the weights, in safetensors' words. `special_tokens` have their
    texts by their ids. `runs_code` tells that the model comes with Python files of its own.
    """

    directory: Path
    weight_files: tuple[Path, ...]
    architecture: str
    model_type: str
    weights_bytes: int
    parameters: int
    dtype: str
    kv_numbers_per_token: int
    context_length: int | None
    vocabulary_size: int | None
    chat_template: str | None
    special_tokens: dict[int, str]
    quantization: str | None
    sees: bool
    runs_code: bool

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Raises NotATransformer."""
        if not directory.is_dir():
            raise NotATransformer(f"{directory} is not a directory.")
        names = {path.name for path in directory.iterdir()}
        config = _config(directory, names)
        text = _text_config(config)
        weights = _weights(directory, names)
        _check_tokenizer(directory, names)
        settings = settings_of(directory / "tokenizer_config.json")
        quantization = config.get("quantization_config")
        return cls(
            directory=directory,
            weight_files=weights.files,
            architecture=_architecture(directory, config),
            model_type=str(config.get("model_type", "")),
            weights_bytes=weights.size_bytes,
            parameters=weights.numbers,
            dtype=weights.dtype,
            kv_numbers_per_token=_kv_numbers_per_token(text),
            context_length=_context_length(directory, text),
            vocabulary_size=_count(text.get("vocab_size")),
            chat_template=_chat_template(directory, settings),
            special_tokens=_special_tokens(directory / "tokenizer.json", settings),
            quantization=(
                str(quantization.get("quant_method"))
                if isinstance(quantization, dict) and quantization.get("quant_method")
                else None
            ),
            sees="vision_config" in config,
            runs_code="auto_map" in config,
        )

    @property
    def thinks(self) -> bool:
        """Whether the template speaks of thoughts."""
        return self.chat_template is not None and "think" in self.chat_template

    @property
    def knows_tools(self) -> bool:
        """A template that does not know of tools would leave them out, forced ones too."""
        return self.chat_template is not None and "tools" in self.chat_template


class _Weights(msgspec.Struct, frozen=True):
    files: tuple[Path, ...]
    size_bytes: int
    numbers: int
    dtype: str


def _config(directory: Path, names: Iterable[str]) -> dict[str, Any]:
    if CONFIG not in names:
        raise NotATransformer(
            f"{directory} has no {CONFIG}, so nothing tells what model it is. Take the whole "
            "repository, not only its weights."
        )
    return settings_of(directory / CONFIG)


def _architecture(directory: Path, config: dict[str, Any]) -> str:
    architectures = config.get("architectures")
    if not (isinstance(architectures, list) and architectures):
        raise NotATransformer(f"{directory / CONFIG} names no architecture.")
    return str(architectures[0])


def _text_config(config: dict[str, Any]) -> dict[str, Any]:
    nested = next((config[key] for key in TEXT_CONFIGS if isinstance(config.get(key), dict)), None)
    return config if nested is None else {**config, **nested}


def _weights(directory: Path, names: set[str]) -> _Weights:
    """The sum of the files that belong to the model. Raises NotATransformer."""
    wanted = _weight_files(directory, names)
    missing = sorted(set(wanted) - names)
    if missing:
        raise NotATransformer(
            f"{directory} lacks {missing[0]}"
            + (f" and {len(missing) - 1} more files" if len(missing) > 1 else "")
            + f", which {INDEX} names. Fetch it again."
        )
    size_bytes = numbers = 0
    by_dtype: dict[str, int] = {}
    for name in wanted:
        try:
            tensors = read_tensors(directory / name)
        except (SafetensorsError, OSError) as error:
            raise NotATransformer(
                f"{directory / name} cannot be loaded: {error}. Fetch it again."
            ) from None
        for tensor in tensors.values():
            size_bytes += tensor.size_bytes
            numbers += tensor.numbers
            by_dtype[tensor.dtype] = by_dtype.get(tensor.dtype, 0) + tensor.size_bytes
    files = tuple(directory / name for name in wanted)
    return _Weights(
        files, size_bytes, numbers, max(by_dtype, key=by_dtype.__getitem__, default="F32")
    )


def _weight_files(directory: Path, names: set[str]) -> list[str]:
    if INDEX in names:
        table = settings_of(directory / INDEX).get("weight_map")
        if not isinstance(table, dict) or not table:
            raise NotATransformer(f"{directory / INDEX} names no files.")
        return sorted({str(name) for name in table.values()})
    files = sorted(name for name in names if name.endswith(".safetensors"))
    own = [name for name in files if not name.startswith((CONSOLIDATED, "adapter_"))]
    if own or files:
        return own or files
    pickles = sorted(name for name in names if name.endswith(PICKLES))
    if pickles:
        raise NotATransformer(
            f"{directory} has its weights as pickles only ({pickles[0]}). Loading a pickle runs "
            "whatever program it holds, so Penstock never does. Take a repository with "
            ".safetensors files; most models have one."
        )
    raise NotATransformer(f"{directory} has no weights: no .safetensors file is in it.")


def _check_tokenizer(directory: Path, names: set[str]) -> None:
    if names.isdisjoint(TOKENIZERS):
        raise NotATransformer(
            f"{directory} has no tokenizer: it needs tokenizer.json, or one of "
            f"{', '.join(TOKENIZERS[1:])}."
        )


def _kv_numbers_per_token(config: dict[str, Any]) -> int:
    """How many numbers the cache keeps of a token; an upper bound for what uses windows.

    A compressed cache (multi-head latent attention) has `kv_lora_rank` and the rotated part for
    each layer; any other has keys and values of each head.
    """
    layers = _count(config.get("num_hidden_layers")) or 0
    if rank := _count(config.get("kv_lora_rank")):
        return layers * (rank + (_count(config.get("qk_rope_head_dim")) or 0))
    heads = _count(config.get("num_attention_heads")) or 1
    kv_heads = _count(config.get("num_key_value_heads")) or heads
    width = _count(config.get("head_dim")) or (_count(config.get("hidden_size")) or 0) // heads
    return 2 * layers * kv_heads * width


def _context_length(directory: Path, config: dict[str, Any]) -> int | None:
    """That of its positions, or less where sentence-transformers' settings say so.

    RoBERTa counts positions from behind its padding token.
    """
    positions = _count(config.get("max_position_embeddings"))
    if positions and config.get("model_type") in OFFSET_POSITIONS:
        positions -= (_count(config.get("pad_token_id")) or 0) + 1
    own = _count(settings_of(directory / SENTENCES).get("max_seq_length"))
    return min((length for length in (positions, own) if length), default=None)


def _chat_template(directory: Path, settings: dict[str, Any]) -> str | None:
    path = directory / "chat_template.jinja"
    if path.is_file():
        return _read(path).decode("utf-8", "replace")
    template = settings.get("chat_template") or settings_of(directory / "chat_template.json").get(
        "chat_template"
    )
    if isinstance(template, list):
        named = {str(each.get("name")): each.get("template") for each in template}
        template = named.get("default")
    return template if isinstance(template, str) else None


class _AddedToken(msgspec.Struct):
    content: str
    id: int | None = None
    special: bool = False


class _Tokenizer(msgspec.Struct):
    """Of tokenizer.json, what is of interest; its vocabulary is passed over."""

    added_tokens: list[_AddedToken] = []


def _special_tokens(path: Path, settings: dict[str, Any]) -> dict[int, str]:
    """Tokens that no text should turn into."""
    if path.is_file():
        try:
            found = msgspec.json.decode(_read(path), type=_Tokenizer).added_tokens
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise NotATransformer(f"{path} cannot be read: {error}.") from None
        return {
            token.id: token.content for token in found if token.special and token.id is not None
        }
    decoder = settings.get("added_tokens_decoder")
    if not isinstance(decoder, dict):
        return {}
    return {
        int(number): str(token["content"])
        for number, token in decoder.items()
        if number.isdigit() and isinstance(token, dict) and token.get("special")
    }


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_JSON_BYTES:
            raise NotATransformer(f"{path} is too large.")
        return path.read_bytes()
    except OSError as error:
        raise NotATransformer(f"{path} cannot be read: {error.strerror}.") from None


def settings_of(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where there is none. Raises NotATransformer."""
    if not path.is_file():
        return {}
    try:
        settings = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise NotATransformer(f"{path} cannot be read: {error}.") from None
    if not isinstance(settings, dict):
        raise NotATransformer(f"{path} cannot be read: it is not a JSON object.")
    return settings


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

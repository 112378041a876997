"""What a server says of itself: which dialect it speaks, and how much it takes.

`identify` asks; `kind_of` decides, as a function of what was said.
"""

from typing import Any

import msgspec

from penstock.domain.model import Task
from penstock.http.client import Client

MAX_CARD_BYTES = 8 * 1024 * 1024

#: `owned_by` in the list of models -> the kind of server.
OWNERS = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama-server",
    "lmdeploy": "lmdeploy",
    "library": "ollama",
    "penstock": "penstock",
    "openai": "openai",
    "openai-internal": "openai",
    "system": "openai",
}

#: How answers of Qwen's language models end. llama.cpp has these judge by the probability of "yes".
ENDS_OF_QWEN = frozenset({"<|im_end|>", "<|endoftext|>"})


class Facts(msgspec.Struct, frozen=True):
    """What a Penstock tells of a model, beside OpenAI's fields."""

    tasks: frozenset[Task] = frozenset()
    attributes: frozenset[str] = frozenset()
    max_input_tokens: int | None = None


class Card(msgspec.Struct):
    """A model in a server's list, by the names that various servers give to its context.

    Anybody may have fields of these names and mean something else by them.
    """

    id: str = ""
    owned_by: Any = None
    max_model_len: Any = None
    context_length: Any = None
    context_window: Any = None
    metadata: Any = None
    penstock: Any = None


class _Cards(msgspec.Struct):
    data: list[Card] = []


class ModelType(msgspec.Struct):
    """What text-embeddings-inference runs: one of them is there."""

    embedding: Any = None
    reranker: Any = None


class Info(msgspec.Struct):
    """`/info` of text-generation-inference and of text-embeddings-inference."""

    router: str | None = None
    max_total_tokens: int | None = None
    model_type: ModelType | str | None = None
    max_input_length: int | None = None
    max_client_batch_size: int | None = None


class _Settings(msgspec.Struct):
    n_ctx: int | None = None


class _Modalities(msgspec.Struct):
    vision: bool = False


class Properties(msgspec.Struct):
    """`/props` of llama-server."""

    default_generation_settings: _Settings | None = None
    modalities: _Modalities | None = None
    chat_template: str | None = None
    eos_token: str | None = None


class _Version(msgspec.Struct):
    version: str | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """All that a server said; None where it had nothing to say. `models` are the ids of its list.

    `card` is the model's own, or that of the only one there is.
    """

    models: tuple[str, ...] = ()
    card: Card | None = None
    server: str = ""
    info: Info | None = None
    properties: Properties | None = None
    ollama_version: str | None = None


def kind_of(said: Said) -> str:
    """A key of `dialects.DIALECTS`."""
    if known := known_by_list(said):
        return known
    info = said.info
    if info is not None and info.model_type is not None and info.max_client_batch_size is not None:
        return "tei"
    if info is not None and info.max_total_tokens is not None:
        return "tgi"
    return "ollama" if said.ollama_version is not None else "generic"


def known_by_list(said: Said) -> str | None:
    """The kind, when the list of models and its head tell it."""
    owner = said.card.owned_by if said.card is not None else None
    if isinstance(owner, str) and owner in OWNERS:
        return OWNERS[owner]
    return "llama-server" if said.server.startswith("llama.cpp") else None


def context_length_of(said: Said) -> int | None:
    """Tokens of context, by whichever name the server gives it."""
    found: list[Any] = []
    if said.properties is not None and said.properties.default_generation_settings is not None:
        found.append(said.properties.default_generation_settings.n_ctx)
    if said.info is not None:
        found.append(said.info.max_total_tokens)
    if (card := said.card) is not None:
        found += [card.max_model_len, card.context_length, card.context_window]
        found += [of.get("context_length") for of in (card.metadata,) if isinstance(of, dict)]
    return next((length for length in found if isinstance(length, int) and length > 0), None)


def gives_logits(said: Said) -> bool:
    """Whether its scores of documents are surely logits: those of a llama-server's cross-encoder.

    It does not say what its model is, but with which token the model ends.
    """
    end = said.properties.eos_token if said.properties is not None else None
    return end is not None and end not in ENDS_OF_QWEN


def facts_of(card: Card | None) -> Facts | None:
    """What another Penstock says that the model can do; None: it does not say, or is none."""
    try:
        return msgspec.convert(card.penstock, Facts) if card is not None else None
    except msgspec.ValidationError:
        return None


async def identify(client: Client, *, base: str, model: str) -> Said:
    """Ask for the list of models, and elsewhere only what that leaves open. Raises Broken."""
    root = base.removesuffix("/v1")
    async with client.get(f"{base}/models") as exchange:
        cards = _decoded(await exchange.read(MAX_CARD_BYTES), _Cards)
        server = exchange.headers.get(b"server", b"").decode("latin-1")
    data = cards.data if cards is not None else []
    own = [card for card in data if card.id == model] or (data if len(data) == 1 else [])
    said = Said(models=tuple(card.id for card in data), card=own[0] if own else None, server=server)
    kind = known_by_list(said)
    if kind == "llama-server":
        properties = await _ask(client, f"{root}/props", Properties)
        return msgspec.structs.replace(said, properties=properties)
    if kind is not None:
        return said
    if (info := await _ask(client, f"{root}/info", Info)) is not None:
        return msgspec.structs.replace(said, info=info)
    version = await _ask(client, f"{root}/api/version", _Version)
    return msgspec.structs.replace(said, ollama_version=version and version.version)


async def _ask(client: Client, path: str, shape: type[Any]) -> Any:
    async with client.get(path) as exchange:
        body = await exchange.read(MAX_CARD_BYTES)
        return _decoded(body, shape) if exchange.status == 200 else None


def _decoded(body: bytes, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None

"""Every setting of Penstock, as one frozen struct.

A field's description is its documentation: `penstock config`, `--help` and docs/configuration.md
show it.
"""

from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Bytes = Annotated[int, Meta(ge=1024)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[models]]` of penstock.toml; `source` is what `penstock serve MODEL` takes."""

    source: Annotated[str, Meta(description="What to serve, as on the command line.")]
    name: Annotated[str | None, Meta(description="What clients call it.")] = None
    context_length: Annotated[
        Annotated[int, Meta(ge=16)] | None, Meta(description="Tokens of context per request.")
    ] = None
    parallel: Annotated[
        Annotated[int, Meta(ge=1, le=1024)] | None,
        Meta(description="Requests worked on at the same time; more wait in the queue."),
    ] = None
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=1024)] | None,
        Meta(description="CPU threads of its engine."),
    ] = None
    gpu_layers: Annotated[
        int | None, Meta(description="Layers that llama.cpp puts on a GPU; -1 means all.")
    ] = None
    key_env: Annotated[
        str | None,
        Meta(description="Environment variable that holds the key of a remote server."),
    ] = None


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. Each scalar one is also a flag of `serve` and a variable PENSTOCK_…"""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port to listen on; 0 takes a free one.")] = 8000
    auth: Annotated[
        bool,
        Meta(description="Whether clients need a key. Only a loopback address may go without."),
    ] = True
    models: Annotated[
        tuple[ModelSettings, ...],
        Meta(description="What to serve; nothing means the bundled tiny models."),
    ] = ()
    image_model: Annotated[
        str, Meta(description="The model that draws when a request names none.")
    ] = "penstock/tiny-draw"
    context_length: Annotated[
        Annotated[int, Meta(ge=16)] | None,
        Meta(description="Tokens of context per request; default: the model's, at most 8192."),
    ] = None
    parallel: Annotated[
        Annotated[int, Meta(ge=1, le=1024)] | None,
        Meta(description="Requests per model worked on at a time; default: by free memory."),
    ] = None
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=1024)] | None,
        Meta(description="CPU threads per engine; default: all cores but one."),
    ] = None
    gpu_layers: Annotated[
        Annotated[int, Meta(ge=-1)],
        Meta(description="Layers that llama.cpp puts on a GPU; -1 means all, 0 none."),
    ] = -1
    embedding_batch_tokens: Annotated[
        Count, Meta(description="Tokens that one batch of embeddings may hold.")
    ] = 2048
    queue_limit: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)],
        Meta(description="Calls per model that may wait for a place; beyond it: 429."),
    ] = 256
    queue_timeout_s: Annotated[
        Seconds, Meta(description="How long a call may wait for a place; then 429.")
    ] = 120.0
    ready_timeout_s: Annotated[
        Seconds, Meta(description="How long a request may wait for a starting model; then 503.")
    ] = 60.0
    start_timeout_s: Annotated[
        Seconds, Meta(description="How long an engine may take to start before it is killed.")
    ] = 600.0
    stall_timeout_s: Annotated[
        Seconds, Meta(description="How long an engine may be silent in the middle of an answer.")
    ] = 120.0
    drain_timeout_s: Annotated[
        Seconds, Meta(description="How long running requests may go on after Ctrl-C or SIGTERM.")
    ] = 30.0
    stop_grace_s: Annotated[
        Seconds, Meta(description="How long an engine has to end by itself before it is killed.")
    ] = 5.0
    max_body_bytes: Annotated[
        Bytes, Meta(description="The largest request body, also after inflating; beyond it: 413.")
    ] = 32 * 1024 * 1024
    max_connections: Annotated[
        Count, Meta(description="The most open client connections; beyond it: 503.")
    ] = 4096
    head_timeout_s: Annotated[
        Seconds, Meta(description="How long a client may take to send a request's head.")
    ] = 20.0
    body_timeout_s: Annotated[
        Seconds, Meta(description="How long a client may take to send a request's body.")
    ] = 60.0
    idle_timeout_s: Annotated[
        Seconds, Meta(description="How long a connection may be idle between requests.")
    ] = 75.0
    write_timeout_s: Annotated[
        Seconds, Meta(description="How long a client may read nothing of its answer.")
    ] = 60.0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="What goes to the log on standard error."),
    ] = "info"


def description_of(field: str, type_: type[msgspec.Struct] = Settings) -> str:
    """The documentation of a setting."""
    for meta in get_type_hints(type_, include_extras=True)[field].__metadata__:
        if meta.description:
            return str(meta.description)
    raise KeyError(field)

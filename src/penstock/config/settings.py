"""Every setting of Penstock, as one frozen struct.

A field's description is its documentation: `penstock config`, `--help` and docs/configuration.md
show it.
"""

import re
from datetime import date
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta

from penstock.domain.price import Unit

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Bytes = Annotated[int, Meta(ge=1024)]
#: "*", or origins as browsers spell them (scheme, host, port; no path), separated by spaces.
ORIGINS = r"^(\*|([a-z][a-z0-9+.-]*://[^\s/,]+( [a-z][a-z0-9+.-]*://[^\s/,]+)*))?$(?!\n)"
Alias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$(?!\n)", max_length=128
    ),
]
DATABASE_URL = r"^(postgresql(\+psycopg)?://.+)?$"
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
#: The keys of `engines.openai.dialects.DIALECTS`.
DialectName = Literal[
    "generic", "penstock", "openai", "vllm", "sglang", "tgi", "tei", "llama-server", "lmdeploy",
    "ollama",
]  # fmt: skip
EngineName = Literal["llama_cpp", "onnx", "diffusers", "vllm"]
#: As vLLM spells its parsers.
PARSER = r"^[a-z0-9][a-z0-9_-]{0,63}$(?!\n)"


class CatalogueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue tells of a model, and changes no answer. None: nothing is said of it."""

    aliases: Annotated[
        tuple[Alias, ...] | None, Meta(description="Other names by which clients may call it.")
    ] = None
    description: Annotated[
        Annotated[str, Meta(max_length=4096)] | None,
        Meta(description="What it is, in a sentence or two."),
    ] = None
    licence: Annotated[
        Annotated[str, Meta(max_length=256)] | None,
        Meta(description="Its licence: a name as of spdx.org, or an address."),
    ] = None
    tags: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...] | None,
        Meta(description="Words to find it by."),
    ] = None
    family: Annotated[
        Annotated[str, Meta(max_length=64)] | None,
        Meta(description="The family it is listed in; default: the first part of its name."),
    ] = None
    featured: Annotated[
        bool | None, Meta(description="Whether it is listed among the featured ones.")
    ] = None
    prices: Annotated[
        dict[Unit, Annotated[float, Meta(ge=0, le=1_000_000)]] | None,
        Meta(
            description="US dollars for a million `input_token`, `cached_input_token`, "
            "`output_token`, `image`, `second` or `character`."
        ),
    ] = None
    deprecated: Annotated[
        date | None, Meta(description="The day (UTC) from which its successor answers.")
    ] = None
    replaced_by: Annotated[Alias | None, Meta(description="Its successor; see `deprecated`.")] = (
        None
    )


class ModelSettings(CatalogueSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    replicas: Annotated[
        int,
        Meta(ge=1, le=64, description="Running copies of it; each takes its own memory."),
    ] = 1
    max_replicas: Annotated[
        Annotated[int, Meta(ge=1, le=64)] | None,
        Meta(description="The most copies, while there is more to do than `replicas` can."),
    ] = None
    pinned: Annotated[bool, Meta(description="Whether it stays when others need its room.")] = False
    idle_stop_s: Annotated[
        Seconds | None, Meta(description="After how long without a request it is stopped.")
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
    dialect: Annotated[
        DialectName | None,
        Meta(description="What kind of server a remote one is; default: what it says of itself."),
    ] = None
    vision: Annotated[
        bool, Meta(description="Whether a remote server's model reads pictures in messages.")
    ] = False
    mmproj: Annotated[
        str | None,
        Meta(description="The eyes of a GGUF model: the path of its mmproj file."),
    ] = None
    adapters: Annotated[
        dict[str, str],
        Meta(description="LoRA adapters: models of their own names, by where they come from."),
    ] = {}
    transformer: Annotated[
        str | None,
        Meta(description="The transformer of a picture model, quantised: the path of a GGUF file."),
    ] = None
    num_inference_steps: Annotated[
        Annotated[int, Meta(ge=1, le=150)] | None,
        Meta(description="Steps of a picture, when a request says nothing."),
    ] = None
    guidance_scale: Annotated[
        Annotated[float, Meta(ge=0, le=30)] | None,
        Meta(description="How closely a picture follows its prompt, when a request says nothing."),
    ] = None
    engine: Annotated[
        EngineName | None,
        Meta(description="The engine, where several could run it: `onnx` or `vllm`."),
    ] = None
    dtype: Annotated[
        Literal["bfloat16", "float16", "float32"] | None,
        Meta(description="The numbers that vLLM computes in."),
    ] = None
    quantization: Annotated[
        Literal["fp8", "bitsandbytes", "experts_int8"] | None,
        Meta(description="How vLLM is to quantise weights that are not quantised yet."),
    ] = None
    tensor_parallel: Annotated[
        Annotated[int, Meta(ge=1, le=1024)],
        Meta(description="Over how many GPUs vLLM spreads each layer."),
    ] = 1
    pipeline_parallel: Annotated[
        Annotated[int, Meta(ge=1, le=1024)],
        Meta(description="Over how many groups of GPUs vLLM spreads the layers."),
    ] = 1
    gpu_memory_share: Annotated[
        Annotated[float, Meta(gt=0, le=1)],
        Meta(description="Of the memory of each of its GPUs, what vLLM may take."),
    ] = 0.9
    tool_parser: Annotated[
        Annotated[str, Meta(pattern=PARSER)] | None,
        Meta(description="vLLM's parser of tool calls, where Penstock's table is wrong."),
    ] = None
    reasoning_parser: Annotated[
        Annotated[str, Meta(pattern=PARSER)] | None,
        Meta(description="vLLM's parser of thoughts, where Penstock's table is wrong."),
    ] = None


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. Each scalar one is also a flag of `serve` and a variable PENSTOCK_…"""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port to listen on; 0 takes a free one.")] = 8000
    auth: Annotated[
        bool,
        Meta(description="Whether clients need a key. Only a loopback address may go without."),
    ] = True
    database_url: Annotated[
        str,
        Meta(
            pattern=DATABASE_URL,
            description="PostgreSQL for the state, as postgresql://USER@HOST/NAME, instead of "
            "SQLite in the home directory.",
        ),
    ] = ""
    models: Annotated[
        tuple[ModelSettings, ...],
        Meta(description="What to serve; nothing means the bundled tiny models."),
    ] = ()
    deploy_paths: Annotated[
        str,
        Meta(
            description="Directories, with `:` between, from which any key may deploy weights by "
            "their path; PENSTOCK_HOME/models always is one."
        ),
    ] = ""
    image_model: Annotated[
        str | None,
        Meta(
            description="The model that draws when a request names none; default: FLUX.1-schnell "
            "if it is served, or the first that draws."
        ),
    ] = None
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
    engine: Annotated[
        EngineName | None,
        Meta(description="The engine for models that several could run; default: by the files."),
    ] = None
    vllm_python: Annotated[
        str | None,
        Meta(description="The interpreter that has vLLM; default: Penstock's own."),
    ] = None
    memory_limit: Annotated[
        Bytes | None,
        Meta(
            description="Memory that all models together may take, in bytes or as 8GB or 8GiB; "
            "default: 90 % of what is free at the start."
        ),
    ] = None
    idle_stop_s: Annotated[
        Seconds | None,
        Meta(
            description="After how long without a request a model is stopped; default: never, and "
            "900 s for deployments of min_instances 0."
        ),
    ] = None
    embedding_batch_tokens: Annotated[
        Count, Meta(description="Tokens that one batch of embeddings may hold.")
    ] = 2048
    diffusers_python: Annotated[
        str | None,
        Meta(description="An interpreter that has diffusers, for picture models."),
    ] = None
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
    connect_timeout_s: Annotated[
        Seconds, Meta(description="How long an engine may take to accept a connection.")
    ] = 10.0
    first_byte_timeout_s: Annotated[
        Seconds, Meta(description="How long an engine may take to begin its answer.")
    ] = 600.0
    stall_timeout_s: Annotated[
        Seconds, Meta(description="How long an engine may be silent in the middle of an answer.")
    ] = 120.0
    scale_down_after_s: Annotated[
        Seconds,
        Meta(description="How long fewer replicas must have been enough before the others stop."),
    ] = 300.0
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
    fetch_images: Annotated[
        bool,
        Meta(
            description="Whether pictures in messages may be URLs: fetched from public addresses "
            "only. Otherwise they come as `data:` URLs."
        ),
    ] = False
    cors_origins: Annotated[
        str,
        Meta(
            pattern=ORIGINS,
            description="Web pages that may call from a browser: origins, separated by spaces, or "
            "`*` for all.",
        ),
    ] = ""
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


def without_password(url: str) -> str:
    """The URL of a database as people may see it."""
    url = re.sub(r"^([^:]*://[^:@/?]*:).*(?=@)", r"\1***", url)
    return re.sub(r"(?<=password=)[^&]*", "***", url)

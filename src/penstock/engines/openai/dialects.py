"""What kinds of servers do otherwise than OpenAI: a row each, and nothing about them elsewhere.

Read from their sources and documentation: vLLM 0.33, SGLang 0.5.23, text-generation-inference 3.3,
text-embeddings-inference 1.8, llama-server b11549, LMDeploy 0.9, Ollama 0.20, OpenAI's API 2.3.
Such a server takes fields that it does not know without a word, so that what it `ignores` has to be
refused before it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from penstock.domain.generation import (
    Chat,
    JsonObject,
    JsonSchema,
    OutputFormat,
    Regex,
    Sampling,
)
from penstock.domain.model import Task
from penstock.domain.rerank import Scores
from penstock.engines.llama_cpp.fields import sampling_fields, template_fields
from penstock.engines.scores import ranks_of, scores_of

Fields = dict[str, Any]
ReadScores = Callable[[bytes, int, Callable[[float], float]], Scores]
#: What a server may be told of the tools that it was given.
ToolWish = Literal["auto", "none", "required", "named"]
ALL_WISHES: frozenset[ToolWish] = frozenset({"auto", "none", "required", "named"})

TEXT: frozenset[Task] = frozenset({"chat", "completions"})
VECTORS: frozenset[Task] = frozenset({"embeddings"})
RANKS: frozenset[Task] = frozenset({"rerank"})


def plain_sampling(sampling: Sampling) -> Fields:
    fields: Fields = msgspec.to_builtins(sampling)
    return fields


def neutral_sampling(*, every_top_k: int) -> Callable[[Sampling], Fields]:
    """OpenAI's defaults put in words, for servers that have others, or those of the model's maker.

    `every_top_k` is what means all tokens.
    """

    def fields_of(sampling: Sampling) -> Fields:
        fields = {
            "temperature": 1.0,
            "top_p": 1.0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        } | plain_sampling(sampling.positive)
        return fields | {"top_k": sampling.top_k or every_top_k}

    return fields_of


def tgi_sampling(sampling: Sampling) -> Fields:
    """All tokens are its default, and it refuses to be told so."""
    if sampling.top_p == 1:
        sampling = msgspec.structs.replace(sampling, top_p=None)
    return plain_sampling(sampling.positive)


def plain_template(chat: Chat) -> Fields:
    fields: Fields = {}
    if chat.template_arguments is not None:
        fields["chat_template_kwargs"] = chat.template_arguments
    if chat.reasoning_effort is not None:
        fields["reasoning_effort"] = chat.reasoning_effort
    return fields


def plain_format(wanted: OutputFormat) -> Fields | None:
    """None: there is no such format."""
    match wanted:
        case JsonObject():
            return {"response_format": {"type": "json_object"}}
        case JsonSchema(schema, name):
            json_schema = {"name": name, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": json_schema}}
        case Regex():
            return None


def no_format(wanted: OutputFormat) -> Fields | None:
    return None


def penstock_format(wanted: OutputFormat) -> Fields | None:
    if isinstance(wanted, Regex):
        return {"response_format": {"type": "regex", "regex": wanted.pattern}}
    return plain_format(wanted)


def vllm_format(wanted: OutputFormat) -> Fields | None:
    if isinstance(wanted, Regex):
        return {"structured_outputs": {"regex": wanted.pattern}}
    return plain_format(wanted)


def sglang_format(wanted: OutputFormat) -> Fields | None:
    return {"regex": wanted.pattern} if isinstance(wanted, Regex) else plain_format(wanted)


def lmdeploy_format(wanted: OutputFormat) -> Fields | None:
    if isinstance(wanted, Regex):
        return {"response_format": {"type": "regex_schema", "regex_schema": wanted.pattern}}
    return plain_format(wanted)


def tgi_format(wanted: OutputFormat) -> Fields | None:
    match wanted:
        case JsonObject():
            return {"response_format": {"type": "json", "value": {"type": "object"}}}
        case JsonSchema(schema):
            return {"response_format": {"type": "json", "value": schema}}
        case Regex(pattern):
            return {"response_format": {"type": "regex", "value": pattern}}


def llama_text_format(wanted: OutputFormat) -> Fields | None:
    """llama-server reads no `response_format` in completions."""
    match wanted:
        case JsonObject():
            return {"json_schema": {"type": "object"}}
        case JsonSchema(schema):
            return {"json_schema": schema}
        case Regex():
            return None


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind of server is asked. The defaults are OpenAI's way.

    `ignores` are request fields that it drops in silence. `tool_wishes` are the values of
    `tool_choice` that it honours. `one_call_only` tells that it honours
    `parallel_tool_calls: false`, `begins_calls` that a forced call is to be begun for it, and
    `reads_stops` that it keeps to `stop` without losing text that only might have begun one: of
    more than `most_stops`, it is told the first (we look for all of them in any case).
    `takes_token_ids`: as prompts and as inputs of embeddings. `most_inputs` go into one request for
    embeddings or scores, which `rerank` is under the root for if `rerank_at_root`.
    `always_stream`: it does not notice
    that the client of a plain call has left. `counts_as_it_goes`: it can tell with every chunk how
    much it has made, which is what a client that leaves is charged. `salts_cache`: it can keep what
    accounts have asked apart in its cache of prompts, whose speed would tell of it. Of alternatives
    it is asked for `more_alternatives`, and never for fewer than `least_alternatives`.
    `format_beside_tools`: it takes a format where tools may be called. `caps_length`: it refuses
    an answer that could be longer than its context. `echoes_scores`: `echo` with `logprobs`.
    """

    title: str
    tasks: frozenset[Task] = TEXT | VECTORS
    ignores: frozenset[str] = frozenset()
    sampling: Callable[[Sampling], Fields] = plain_sampling
    template: Callable[[Chat], Fields] = plain_template
    chat_format: Callable[[OutputFormat], Fields | None] = plain_format
    text_format: Callable[[OutputFormat], Fields | None] = plain_format
    chat_length_field: str = "max_tokens"
    tool_wishes: frozenset[ToolWish] = ALL_WISHES
    one_call_only: bool = True
    begins_calls: bool = False
    reads_stops: bool = True
    most_stops: int | None = None
    takes_token_ids: bool = True
    least_alternatives: int = 0
    more_alternatives: int = 0
    format_beside_tools: bool = True
    caps_length: bool = False
    echoes_scores: bool = False
    always_stream: bool = False
    counts_as_it_goes: bool = False
    salts_cache: bool = False
    more: Mapping[str, Any] = {}
    rerank_field: str = "documents"
    rerank_at_root: bool = False
    scores: ReadScores = scores_of
    most_inputs: int = 2048


DIALECTS: dict[str, Dialect] = {
    "generic": Dialect(title="a server that speaks OpenAI"),
    "penstock": Dialect(
        title="another Penstock",
        tasks=TEXT | VECTORS | RANKS,
        chat_format=penstock_format,
        text_format=penstock_format,
        echoes_scores=True,
    ),
    "openai": Dialect(
        title="OpenAI",
        ignores=frozenset({"top_k", "min_p", "repetition_penalty", "chat_template_kwargs"}),
        chat_length_field="max_completion_tokens",
        most_stops=4,
    ),
    "vllm": Dialect(
        title="vLLM",
        tasks=TEXT | VECTORS | RANKS,
        sampling=neutral_sampling(every_top_k=0),
        chat_format=vllm_format,
        text_format=vllm_format,
        counts_as_it_goes=True,
        salts_cache=True,
        more_alternatives=1,
        format_beside_tools=False,
        caps_length=True,
        echoes_scores=True,
    ),
    "sglang": Dialect(
        title="SGLang",
        tasks=TEXT | VECTORS | RANKS,
        sampling=neutral_sampling(every_top_k=-1),
        chat_format=sglang_format,
        text_format=sglang_format,
        counts_as_it_goes=True,
        salts_cache=True,
        scores=ranks_of,
    ),
    "tgi": Dialect(
        title="text-generation-inference",
        tasks=TEXT,
        ignores=frozenset(
            {
                "logit_bias", "top_k", "min_p", "repetition_penalty", "presence_penalty",
                "reasoning_effort", "chat_template_kwargs",
            }
        ),
        sampling=tgi_sampling,
        chat_format=tgi_format,
        text_format=no_format,
        one_call_only=False,
        most_stops=4,
        takes_token_ids=False,
    ),
    "tei": Dialect(
        title="text-embeddings-inference",
        tasks=VECTORS | RANKS,
        takes_token_ids=False,
        rerank_field="texts",
        rerank_at_root=True,
        scores=ranks_of,
        most_inputs=32,
    ),
    "llama-server": Dialect(
        title="llama-server",
        tasks=TEXT | VECTORS | RANKS,
        sampling=sampling_fields,
        template=template_fields,
        text_format=llama_text_format,
        tool_wishes=frozenset({"auto", "none", "required"}),
        one_call_only=False,
        begins_calls=True,
        reads_stops=False,
        least_alternatives=1,
        always_stream=True,
        more={"return_progress": True},
    ),
    "lmdeploy": Dialect(
        title="LMDeploy",
        tasks=TEXT,
        ignores=frozenset(
            {"logit_bias", "presence_penalty", "frequency_penalty", "chat_template_kwargs"}
        ),
        sampling=neutral_sampling(every_top_k=0),
        chat_format=lmdeploy_format,
        text_format=no_format,
        one_call_only=False,
        takes_token_ids=False,
    ),
    "ollama": Dialect(
        title="Ollama",
        ignores=frozenset(
            {"logit_bias", "top_k", "min_p", "repetition_penalty", "chat_template_kwargs"}
        ),
        text_format=no_format,
        tool_wishes=frozenset({"auto"}),
        one_call_only=False,
        takes_token_ids=False,
    ),
}  # fmt: skip

"""Wire structs -> engine calls: what chat and completions have in common."""

from functools import lru_cache

import msgspec

from penstock.api.openai.schemas import check_regex, check_schema
from penstock.api.openai.wire import (
    IGNORED,
    IMAGE_HINTS,
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    JsonFormat,
    JsonObjectFormat,
    JsonSchemaFormat,
    PicturesRequest,
    RegexFormat,
    RerankRequest,
    ResponseFormat,
    SampledRequest,
)
from penstock.domain.errors import InvalidRequest, UnsupportedParameter
from penstock.domain.generation import (
    JsonObject,
    JsonSchema,
    OutputFormat,
    Regex,
    Sampling,
)
from penstock.domain.model import Capabilities, Task
from penstock.gateway.deployment import Deployment

SEEDS = 2**63

#: Fields that are no attributes of a model: who is asked, for what, and what we see to ourselves.
OURS = frozenset(
    {
        "model",
        "models",
        "messages",
        "prompt",
        "input",
        "image",
        "mask",
        "query",
        "documents",
        "dimensions",
        "best_of",
        "fail_fast",
    }
)
#: Another's way to say the same as a field, which is honoured where that is.
SAME_AS = {"reasoning": "reasoning_effort"}
AnyRequest = (
    ChatCompletionRequest | CompletionRequest | EmbeddingRequest | PicturesRequest | RerankRequest
)


def check_request(
    request: AnyRequest, deployment: Deployment, capabilities: Capabilities, task: Task
) -> None:
    """Raises UnsupportedParameter when the model does not do such a thing at all, or does not
    honour a field."""
    if task not in capabilities.tasks:
        raise _another_task(deployment.model.name, capabilities, task)
    check_attributes(request, capabilities)


def _another_task(model: str, capabilities: Capabilities, task: Task) -> UnsupportedParameter:
    can = ", ".join(sorted(capabilities.tasks))
    hint = (
        " It has no chat template: use the completions endpoint."
        if task == "chat" and "completions" in capabilities.tasks
        else ""
    )
    return UnsupportedParameter(
        f"The model {model!r} does not do {task}; it does {can}.{hint}", param="model"
    )


def check_attributes(request: AnyRequest, capabilities: Capabilities) -> None:
    """Raises UnsupportedParameter for the first field that the model does not honour."""
    for name in refused_fields(type(request), capabilities.attributes):
        if getattr(request, name) is not None:
            raise UnsupportedParameter(
                f"Unsupported parameter: '{name}' is not supported with this model.", param=name
            )


@lru_cache
def refused_fields(type_: type[msgspec.Struct], attributes: frozenset[str]) -> tuple[str, ...]:
    """The fields of a request that a model of these attributes does not honour, in their order."""
    accepted = attributes | OURS | IGNORED.keys() | IMAGE_HINTS.keys()
    fields = type_.__struct_fields__
    return tuple(field for field in fields if SAME_AS.get(field, field) not in accepted)


def honoured_fields(type_: type[msgspec.Struct], capabilities: Capabilities) -> list[str]:
    """The fields of a request that a model honours, in their order; none that change nothing."""
    unused = {*refused_fields(type_, capabilities.attributes), *IGNORED, *IMAGE_HINTS}
    if not capabilities.dimensions:
        unused.add("dimensions")
    return [field for field in type_.__struct_fields__ if field not in unused]


def check_stream_options(request: SampledRequest) -> None:
    if request.stream_options is not None and not request.stream:
        raise InvalidRequest(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )


def includes_usage(request: SampledRequest) -> bool:
    options = request.stream_options
    return options is not None and bool(options.include_usage)


def sampling_of(request: SampledRequest, capabilities: Capabilities) -> Sampling:
    """Raises InvalidRequest for a bias of a token that there is not."""
    if request.logit_bias:
        check_token_ids(list(request.logit_bias), capabilities, "logit_bias")
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        min_p=request.min_p,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        repetition_penalty=request.repetition_penalty,
        logit_bias=request.logit_bias,
        seed=request.seed,
    )


def choice_sampling(sampling: Sampling, choice: int) -> Sampling:
    """The sampling of choice number `choice`: one seed for all would make them all the same."""
    if sampling.seed is None or choice == 0:
        return sampling
    seed = (sampling.seed + choice + SEEDS) % (2 * SEEDS) - SEEDS
    return msgspec.structs.replace(sampling, seed=seed)


def stops_of(request: SampledRequest) -> tuple[str, ...]:
    stop = request.stop
    if not stop:
        return ()
    return (stop,) if isinstance(stop, str) else tuple(stop)


def output_format_of(wanted: ResponseFormat | None) -> OutputFormat | None:
    """Raises InvalidRequest for a schema that no engine should see."""
    match wanted:
        case JsonFormat() | JsonObjectFormat():
            return JsonObject()
        case JsonSchemaFormat():
            definition = wanted.json_schema
            check_schema(definition.schema, "response_format.json_schema.schema")
            return JsonSchema(definition.schema, definition.name)
        case RegexFormat():
            check_regex(wanted.regex, "response_format.regex")
            return Regex(wanted.regex)
        case _:
            return None


def check_token_ids(ids: list[int], capabilities: Capabilities, param: str) -> None:
    size = capabilities.vocabulary_size
    if size is not None and (largest := max(ids)) >= size:
        raise InvalidRequest(
            f"Token id {largest} in '{param}' is outside this model's vocabulary of {size}.",
            param=param,
        )

"""Wire structs -> engine calls: what chat and completions have in common."""

from functools import cache

import msgspec

from penstock.api.openai.schemas import check_regex, check_schema
from penstock.api.openai.wire import (
    IGNORED,
    ChatCompletionRequest,
    CompletionRequest,
    JsonFormat,
    JsonObjectFormat,
    JsonSchemaFormat,
    RegexFormat,
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
OURS = frozenset({"model", "messages", "prompt", "input", "best_of", "reasoning"})


def check_task(deployment: Deployment, capabilities: Capabilities, task: Task) -> None:
    """Raises UnsupportedParameter when the model does not do such a thing at all."""
    if task not in capabilities.tasks:
        can = ", ".join(sorted(capabilities.tasks))
        hint = (
            " It has no chat template: use the completions endpoint."
            if task == "chat" and "completions" in capabilities.tasks
            else ""
        )
        raise UnsupportedParameter(
            f"The model {deployment.model.name!r} does not do {task}; it does {can}.{hint}",
            param="model",
        )


def check_attributes(
    request: ChatCompletionRequest | CompletionRequest, capabilities: Capabilities
) -> None:
    """Raises UnsupportedParameter for the first field that the model does not honour."""
    for name in checked_fields(type(request)) - capabilities.attributes:
        if getattr(request, name) is not None:
            raise UnsupportedParameter(
                f"Unsupported parameter: '{name}' is not supported with this model.", param=name
            )
    if request.logit_bias:
        check_token_ids(list(request.logit_bias), capabilities, "logit_bias")


@cache
def checked_fields(type_: type[msgspec.Struct]) -> frozenset[str]:
    """The fields of a request that a model may or may not honour."""
    return frozenset(type_.__struct_fields__) - OURS - IGNORED.keys()


def check_stream_options(request: SampledRequest) -> None:
    if request.stream_options is not None and not request.stream:
        raise InvalidRequest(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )


def includes_usage(request: SampledRequest) -> bool:
    options = request.stream_options
    return options is not None and bool(options.include_usage)


def sampling_of(request: SampledRequest) -> Sampling:
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

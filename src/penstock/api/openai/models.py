"""The list of models, and what each can do."""

import msgspec

from penstock.api.deepinfra.inference_wire import (
    ZeroShotImageClassificationIn,
    ZeroShotImageClassificationOut,
)
from penstock.api.openai.answers import (
    ChatCompletion,
    Completion,
    EmbeddingList,
    ImagesResponse,
    Modalities,
    ModelFacts,
    ModelList,
    ModelMetadata,
    ModelObject,
    RerankResponse,
)
from penstock.api.openai.request import honoured_fields
from penstock.api.openai.wire import (
    ChatCompletionRequest,
    CompletionRequest,
    EmbeddingRequest,
    ImageEditsRequest,
    ImagesRequest,
    ImageVariationsRequest,
    RerankRequest,
)
from penstock.api.pricing import dollars
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.key import Principal
from penstock.domain.model import Capabilities, Task
from penstock.gateway.deployment import Deployment
from penstock.gateway.resolve import Catalogue


class Endpoint(msgspec.Struct, frozen=True):
    """Where a task is asked for, with which fields, and what goes in and comes out."""

    path: str
    takes: type[msgspec.Struct]
    gives: type[msgspec.Struct]
    input: tuple[str, ...]
    output: str


ENDPOINTS: dict[Task, Endpoint] = {
    "chat": Endpoint("chat/completions", ChatCompletionRequest, ChatCompletion,
                     ("text",), "text"),
    "completions": Endpoint("completions", CompletionRequest, Completion,
                            ("text",), "text"),
    "embeddings": Endpoint("embeddings", EmbeddingRequest, EmbeddingList,
                           ("text",), "embedding"),
    "rerank": Endpoint("rerank", RerankRequest, RerankResponse, ("text",), "score"),
    "images": Endpoint("images/generations", ImagesRequest, ImagesResponse, ("text",), "image"),
    "image_edits": Endpoint("images/edits", ImageEditsRequest, ImagesResponse,
                            ("text", "image"), "image"),
    "image_variations": Endpoint("images/variations", ImageVariationsRequest, ImagesResponse,
                                 ("image",), "image"),
    "zero_shot_image_classification": Endpoint(
        "inference", ZeroShotImageClassificationIn, ZeroShotImageClassificationOut,
        ("text", "image"), "score"),
}  # fmt: skip


#: The words by which DeepInfra's clients find the models of a kind, where they are not the task's.
SURFACES: dict[Task, str] = {"embeddings": "embed", "images": "image-gen"}


def model_object(entry: CatalogueEntry, deployment: Deployment) -> ModelObject:
    model = deployment.model
    can = deployment.capabilities
    return ModelObject(
        id=model.name,
        created=model.created,
        owned_by=model.owned_by,
        root=model.parent or entry.name,
        parent=model.parent,
        metadata=metadata(entry, can),
        penstock=facts(deployment, can),
    )


def metadata(entry: CatalogueEntry, can: Capabilities | None) -> ModelMetadata:
    tasks = sorted(can.tasks) if can is not None else []
    surfaces = [SURFACES[task] for task in tasks if task in SURFACES]
    length = can.context_length or can.max_input_tokens if can is not None else None
    return ModelMetadata(
        description=entry.description,
        context_length=length or entry.context_length,
        max_tokens=can.context_length if can is not None else None,
        pricing=dollars(entry.prices),
        tags=[*tasks, *surfaces, *entry.tags],
    )


def facts(deployment: Deployment, can: Capabilities | None) -> ModelFacts:
    state = deployment.group.state
    engine = deployment.model.engine
    if can is None:
        return ModelFacts(engine=engine, state=state)
    ends = [ENDPOINTS[task] for task in ENDPOINTS if task in can.tasks]
    fields = {end.path: honoured_fields(end.takes, can) for end in ends}
    seen = {"image"} if can.sees else set()
    return ModelFacts(
        engine=engine,
        state=state,
        tasks=sorted(can.tasks),
        modalities=Modalities(
            input=sorted({kind for end in ends for kind in end.input} | seen),
            output=sorted({end.output for end in ends}),
        ),
        context_length=can.context_length,
        max_input_tokens=can.max_input_tokens,
        embedding_length=can.embedding_length,
        dimensions=can.dimensions if can.dimensions == "any" else list(can.dimensions),
        input_format=can.input_format,
        attributes=sorted(can.attributes & {name for names in fields.values() for name in names}),
        endpoints=fields,
    )


def model_list(catalogue: Catalogue, principal: Principal) -> ModelList:
    """What a caller may ask for: private models of others are not there."""
    served = ((entry, catalogue.deployment(entry.name)) for entry in catalogue.entries(principal))
    return ModelList(data=[model_object(entry, d) for entry, d in served if d is not None])

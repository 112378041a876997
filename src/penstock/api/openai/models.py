"""The list of models, and what each can do."""

from penstock.api.openai.wire import ModelFacts, ModelList, ModelObject
from penstock.domain.model import Capabilities
from penstock.gateway.deployment import Deployment
from penstock.gateway.resolve import Catalogue


def model_object(deployment: Deployment) -> ModelObject:
    model = deployment.model
    return ModelObject(
        id=model.name,
        created=model.created,
        owned_by=model.owned_by,
        penstock=facts(deployment, deployment.capabilities),
    )


def facts(deployment: Deployment, can: Capabilities | None) -> ModelFacts:
    state = deployment.replicas[0].status.state.value
    engine = deployment.model.engine
    if can is None:
        return ModelFacts(engine=engine, state=state)
    return ModelFacts(
        engine=engine,
        state=state,
        tasks=sorted(can.tasks),
        context_length=can.context_length,
        max_input_tokens=can.max_input_tokens,
        embedding_length=can.embedding_length,
        attributes=sorted(can.attributes),
    )


def model_list(catalogue: Catalogue) -> ModelList:
    return ModelList(data=[model_object(deployment) for deployment in catalogue])

"""The list of models, and what each can do."""

from penstock.api.openai.wire import ModelFacts, ModelList, ModelObject
from penstock.gateway.deployment import Deployment
from penstock.gateway.resolve import Catalogue


def model_object(deployment: Deployment) -> ModelObject:
    can = deployment.capabilities
    model = deployment.model
    return ModelObject(
        id=model.name,
        created=model.created,
        owned_by=model.owned_by,
        penstock=ModelFacts(
            engine=model.engine,
            state=deployment.replicas[0].status.state.value,
            tasks=can and sorted(can.tasks),
            context_length=can and can.context_length,
            max_input_tokens=can and can.max_input_tokens,
            embedding_length=can and can.embedding_length,
            attributes=can and sorted(can.attributes),
        ),
    )


def model_list(catalogue: Catalogue) -> ModelList:
    return ModelList(data=[model_object(deployment) for deployment in catalogue])

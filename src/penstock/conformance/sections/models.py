"""The list of models, and one model."""

from penstock.conformance.check import check, expect, expect_none
from penstock.conformance.schema import complaints
from penstock.conformance.subject import Subject, official


@check
def list_fits_the_schema(subject: Subject) -> None:
    """The list of models fits OpenAI's schema, and every id is there once.

    Source: OpenAI's schema ListModelsResponse.
    """
    reply = subject.get("/models")
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
    expect_none(complaints(reply.json, "ListModelsResponse")[:3])
    ids = [model["id"] for model in reply.json["data"]]
    expect(len(ids) == len(set(ids)), "an id is listed twice")


@check
def official_client_lists(subject: Subject) -> None:
    """The official client lists the models, the one that is asked for among them.

    Source: openai-python, models.list.
    """
    with official():
        listed = [model.id for model in subject.client.models.list()]
    name = subject.models.of("chat")
    expect(name in listed, f"{name} is not in the list")


@check
def one_model_is_shown(subject: Subject) -> None:
    """GET models/{id} shows the model, also when its name holds slashes.

    Source: OpenAI API reference, retrieve model; names with slashes are usual for open models.
    """
    name = subject.models.of("chat")
    reply = subject.get(f"/models/{name}")
    expect(reply.status == 200, f"status {reply.status}: {reply.complaint}")
    expect_none(complaints(reply.json, "Model")[:3])
    expect(reply.json["id"] == name, f"the id is {reply.json['id']!r}")


@check
def official_client_retrieves(subject: Subject) -> None:
    """The official client retrieves a model; it sends the slashes of the name escaped.

    Source: openai-python, models.retrieve.
    """
    name = subject.models.of("chat")
    with official():
        model = subject.client.models.retrieve(name)
    expect(model.id == name, f"the id is {model.id!r}")


@check
def unknown_model_is_not_shown(subject: Subject) -> None:
    """GET models/{id} of an unknown model is 404 with the code model_not_found.

    Source: OpenAI API reference, retrieve model; error codes.
    """
    reply = subject.get("/models/no-such/model")
    expect(reply.status == 404, f"status {reply.status}")
    code = reply.json.get("error", {}).get("code")
    expect(code == "model_not_found", f"code {code!r}")

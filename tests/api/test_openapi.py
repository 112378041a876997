"""What the server says of itself at /openapi.json and /docs."""

import json
from typing import Any

import pytest
from serving import Server

PREFIX = "/v1"


@pytest.fixture(scope="module")
def described(fake_server: Server) -> dict[str, Any]:
    reply = fake_server.get("/openapi.json", key="")
    assert reply.status == 200
    document: dict[str, Any] = reply.json
    return document


def schema_of(described: dict[str, Any], path: str) -> tuple[str, dict[str, Any]]:
    """The content type and the schema of a request."""
    content = described["paths"][f"{PREFIX}{path}"]["post"]["requestBody"]["content"]
    ((kind, body),) = content.items()
    name = body["schema"]["$ref"].rpartition("/")[2]
    found: dict[str, Any] = described["components"]["schemas"][name]
    return kind, found


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    text = json.dumps(described)
    named = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named
    assert named <= schemas.keys()


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings", "/rerank"])
def test_requests_are_json(described: dict[str, Any], path: str) -> None:
    kind, schema = schema_of(described, path)
    assert kind == "application/json"
    assert schema["additionalProperties"] is False
    assert "model" in schema["required"]


@pytest.mark.parametrize(
    ("path", "files"), [("/images/edits", {"image", "mask"}), ("/images/variations", {"image"})]
)
def test_files_are_parts_of_forms(described: dict[str, Any], path: str, files: set[str]) -> None:
    kind, schema = schema_of(described, path)
    assert kind == "multipart/form-data"
    binary = {name for name, what in schema["properties"].items() if "binary" in json.dumps(what)}
    assert binary == files
    assert "base64" not in json.dumps(schema["properties"]["image"])


def test_the_page_says_which_fields_are_files(fake_server: Server) -> None:
    page = fake_server.get("/docs", key="").body.decode()
    assert "<td><code>image</code></td><td>file (required)</td>" in page

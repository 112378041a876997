"""Which route a path leads to, and how each family of routes spells an error."""

import json
from typing import Any

import pytest

from penstock.api.errors import NATIVE, OPENAI, PLATFORM, Dialect
from penstock.api.routes import Dispatcher, Route
from penstock.domain.errors import Conflict, InvalidRequest, PenstockError
from penstock.domain.key import NOBODY, Principal
from penstock.gateway.auth import Keyring
from penstock.http.message import Answer, Request, Response

pytestmark = pytest.mark.anyio

PATHS = (
    "/models/list",
    "/models/{name}",
    "/models/{name}/versions",
    "/models/{name}/schema/{variant}",
    "/deploy/{id}",
    "/deploy/{id}/start",
)


def echo(path: str) -> Route:
    async def handle(http: Request, principal: Principal, *arguments: str) -> Answer:
        return Response(body=json.dumps([path, *arguments]).encode())

    return Route("GET", path, handle, "")


def failing(error: PenstockError, dialect: Dialect) -> Route:
    async def handle(http: Request, principal: Principal) -> Answer:
        raise error

    return Route("GET", "/fails", handle, "", dialect=dialect)


async def ask(routes: list[Route], path: str, method: str = "GET") -> tuple[int, Any]:
    dispatcher = Dispatcher(routes, Keyring(b"pepper", anyone=NOBODY))
    answer = await dispatcher.answer(
        Request(method=method, path=path, query="", headers={}, body=b"", id=b"1")
    )
    assert isinstance(answer, Response)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/models/list", ["/models/list"]),
        ("/models/org/name", ["/models/{name}", "org/name"]),
        ("/models/org%2Fna%20me", ["/models/{name}", "org/na me"]),
        ("/models/list/versions", ["/models/{name}/versions", "list"]),
        ("/models/a/b/versions", ["/models/{name}/versions", "a/b"]),
        ("/models/a/schema/default", ["/models/{name}/schema/{variant}", "a", "default"]),
        ("/models/a/schema", ["/models/{name}", "a/schema"]),
        ("/models/a\n", ["/models/{name}", "a\n"]),
        ("/deploy/abc", ["/deploy/{id}", "abc"]),
        ("/deploy/abc/start", ["/deploy/{id}/start", "abc"]),
    ],
)
async def test_a_path_leads_to_the_route_that_says_most(path: str, leads_to: list[str]) -> None:
    assert await ask(list(map(echo, PATHS)), path) == (200, leads_to)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/models/", "GET", 404),
        ("/model", "GET", 404),
        ("/deploy/x/start", "POST", 405),
        ("/models/list", "DELETE", 405),
    ],
)
async def test_other_paths_lead_nowhere(path: str, method: str, status: int) -> None:
    told, body = await ask(list(map(echo, PATHS)), path, method)
    assert told == status
    assert body["error"]["code"] in ("unknown_url", "method_not_allowed")


@pytest.mark.parametrize(
    ("dialect", "error", "status", "body"),
    [
        (OPENAI, Conflict("no"), 409,
         {"error": {"message": "no", "type": "invalid_request_error", "param": None,
                    "code": "conflict"}}),
        (PLATFORM, Conflict("no"), 409, {"error": "no"}),
        (NATIVE, Conflict("no"), 409, {"detail": {"error": "no"}}),
        (OPENAI, InvalidRequest("no", param="n"), 400,
         {"error": {"message": "no", "type": "invalid_request_error", "param": "n",
                    "code": "invalid_value"}}),
        (PLATFORM, InvalidRequest("no", param="n"), 422, {"error": "no"}),
        (NATIVE, InvalidRequest("no", param="n"), 422, {"detail": {"error": "no"}}),
    ],
)  # fmt: skip
async def test_a_route_spells_errors_in_its_dialect(
    dialect: Dialect, error: PenstockError, status: int, body: object
) -> None:
    assert await ask([failing(error, dialect)], "/fails") == (status, body)

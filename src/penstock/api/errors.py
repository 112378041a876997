"""The one renderer of errors: what went wrong, in the shape that a route's clients read.

OpenAI's routes spell an error as OpenAI does. DeepInfra's platform routes answer `{"error": "…"}`,
its native inference `{"detail": {"error": "…"}}` (its OpenAPI document, `DeepError`).
"""

from collections.abc import Callable

import msgspec

from penstock.domain.errors import (
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    PenstockError,
    TooManyConnections,
    TooManyRequests,
    Unauthorized,
)
from penstock.http.message import JSON, Response


class ErrorObject(msgspec.Struct, frozen=True):
    """`error` of OpenAI's error shape: all four keys, always."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(msgspec.Struct, frozen=True):
    """What an answer of OpenAI's routes with a status of 400 or more has as its body."""

    error: ErrorObject


class PlatformErrorBody(msgspec.Struct, frozen=True):
    """The same of DeepInfra's platform routes."""

    error: str


class NativeErrorBody(msgspec.Struct, frozen=True):
    """The same of DeepInfra's native inference."""

    detail: PlatformErrorBody


#: Faults that the HTTP server finds below any route: status -> the error it stands for.
FAULTS: dict[int, type[PenstockError]] = {
    413: BodyTooLarge,
    429: TooManyRequests,
    500: InternalError,
    503: TooManyConnections,
}


def error_body(error: PenstockError) -> bytes:
    return msgspec.json.encode(
        ErrorBody(ErrorObject(error.message, error.type, error.param, error.code))
    )


def platform_error_body(error: PenstockError) -> bytes:
    return msgspec.json.encode(PlatformErrorBody(error.message))


def native_error_body(error: PenstockError) -> bytes:
    return msgspec.json.encode(NativeErrorBody(PlatformErrorBody(error.message)))


class Dialect(msgspec.Struct, frozen=True):
    """How a family of routes spells errors. `invalid_status` is that of a field that is wrong."""

    spell: Callable[[PenstockError], bytes]
    body: type[msgspec.Struct]
    invalid_status: int = 400


OPENAI = Dialect(error_body, ErrorBody)
PLATFORM = Dialect(platform_error_body, PlatformErrorBody, invalid_status=422)
NATIVE = Dialect(native_error_body, NativeErrorBody, invalid_status=422)


def error_response(error: PenstockError, dialect: Dialect = OPENAI) -> Response:
    status = dialect.invalid_status if isinstance(error, InvalidRequest) else error.status
    return Response(status=status, headers=JSON + _headers(error), body=dialect.spell(error))


def fault_response(status: int, sentence: str) -> Response:
    """A fault below the routes (a broken head, a slow body), in the same shape."""
    error = FAULTS.get(status, InvalidRequest)(sentence)
    response = error_response(error)
    return msgspec.structs.replace(response, status=status)


def _headers(error: PenstockError) -> bytes:
    lines = b""
    if error.retry_after_s is not None:
        lines += b"retry-after: %d\r\n" % error.retry_after_s
    if isinstance(error, Unauthorized):
        lines += b'www-authenticate: Bearer realm="penstock"\r\n'
    if isinstance(error, MethodNotAllowed):
        lines += b"allow: %b\r\n" % error.allow.encode()
    return lines

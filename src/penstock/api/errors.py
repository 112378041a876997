"""The one renderer of errors: OpenAI's shape, whatever went wrong."""

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
    """What every answer with a status of 400 or more has as its body."""

    error: ErrorObject


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


def error_response(error: PenstockError) -> Response:
    return Response(status=error.status, headers=JSON + _headers(error), body=error_body(error))


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

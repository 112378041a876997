"""Everything that can go wrong in a request, as one family.

    PenstockError
    ├── InvalidRequest            400  the client's fields
    │   ├── UnsupportedParameter  400  a field that the model cannot honour
    │   ├── UnknownParameter      400  a field that nobody knows
    │   └── ContextLengthExceeded 400
    ├── WrongState                400  what is asked of a thing that is not in a state for it
    ├── Unauthorized              401
    ├── Forbidden                 403  a web page of somebody else's, without a key
    ├── ModelNotFound             404
    ├── NotFound                  404  a thing of the platform that is no model
    ├── RouteNotFound             404
    ├── MethodNotAllowed          405
    ├── Conflict                  409  there is such a thing already
    ├── Gone                      410  there was such a thing
    ├── BodyTooLarge              413
    ├── UnsupportedEncoding       415
    ├── TooManyRequests           429
    │   └── NotAdmitted           429  there is no place for it; its model never hears of it
    ├── EngineOverloaded          429  a request that is not to wait, and would
    ├── InternalError             500
    ├── EngineFailed              502  the engine died, stalled or answered garbage
    ├── ModelNotReady             503  starting, restarting, or given up
    ├── DatabaseUnavailable       503  the state cannot be read or written just now
    └── TooManyConnections        503

`status`, `type` and `code` are OpenAI's (github.com/openai/openai-openapi, `Error`); where OpenAI
has no code for a case, `code` is ours and documented in docs/api.md.
"""

from typing import ClassVar


class PenstockError(Exception):
    """An error that a client is told of.

    `message` is a sentence for a person; `param` names the field at fault; `retry_after_s` becomes
    the `Retry-After` header.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str | None] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s


class InvalidRequest(PenstockError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_value"


class UnsupportedParameter(InvalidRequest):
    code = "unsupported_parameter"


class UnknownParameter(InvalidRequest):
    code = "unknown_parameter"


class ContextLengthExceeded(InvalidRequest):
    code = "context_length_exceeded"


class WrongState(PenstockError):
    status = 400
    type = "invalid_request_error"
    code = "wrong_state"


class Unauthorized(PenstockError):
    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class Forbidden(PenstockError):
    status = 403
    type = "invalid_request_error"
    code = "forbidden"


class ModelNotFound(PenstockError):
    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class NotFound(PenstockError):
    status = 404
    type = "invalid_request_error"
    code = "not_found"


class RouteNotFound(PenstockError):
    status = 404
    type = "invalid_request_error"
    code = "unknown_url"


class MethodNotAllowed(PenstockError):
    """`allow` lists the methods that the path knows, for the header of that name."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class Conflict(PenstockError):
    status = 409
    type = "invalid_request_error"
    code = "conflict"


class Gone(PenstockError):
    status = 410
    type = "invalid_request_error"
    code = "gone"


class BodyTooLarge(PenstockError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class UnsupportedEncoding(PenstockError):
    status = 415
    type = "invalid_request_error"
    code = "unsupported_content_encoding"


class TooManyRequests(PenstockError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class NotAdmitted(TooManyRequests):
    pass


class EngineOverloaded(PenstockError):
    """What DeepInfra answers to a request of `fail_fast` that would have to wait, to the letter."""

    status = 429
    type = "invalid_request_error"
    code = "engine_overloaded"

    def __init__(self) -> None:
        super().__init__("Model busy, retry later", retry_after_s=1)


class InternalError(PenstockError):
    pass


class EngineFailed(PenstockError):
    status = 502
    code = "engine_error"


class ModelNotReady(PenstockError):
    status = 503
    code = "model_not_ready"


class DatabaseUnavailable(PenstockError):
    status = 503
    code = "database_unavailable"


class TooManyConnections(PenstockError):
    status = 503
    code = "too_many_connections"

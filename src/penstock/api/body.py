"""Request bytes -> a typed, bounded request, or an error that names the field."""

import re
import zlib
from typing import TypeVar

import msgspec

from penstock.domain.errors import (
    BodyTooLarge,
    InvalidRequest,
    UnknownParameter,
    UnsupportedEncoding,
)
from penstock.http.message import Request

T = TypeVar("T")


_PATH = re.compile(r" - at (?:`key` in )?`(?P<path>.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*?)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*?)`", re.DOTALL)
GZIP = 16 + zlib.MAX_WBITS
#: A gzip file may be several, one behind the other; each costs time, however little it holds.
MAX_GZIP_MEMBERS = 64


def decode(decoder: msgspec.json.Decoder[T], request: Request, max_bytes: int) -> T:
    """`max_bytes` holds after inflating too.

    Raises InvalidRequest, UnknownParameter, BodyTooLarge, UnsupportedEncoding.
    """
    packed = b"content-encoding" in request.headers
    try:
        return decoder.decode(inflated(request, max_bytes) if packed else request.body)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None


def inflated(request: Request, max_bytes: int) -> bytes:
    """The body as it was before its client packed it. Raises what `decode` raises."""
    encoding = request.headers.get(b"content-encoding")
    if encoding is None or encoding.lower() == b"identity":
        return request.body
    return _inflate(request.body, encoding.lower(), max_bytes)


def _inflate(body: bytes, encoding: bytes, max_bytes: int) -> bytes:
    if encoding not in (b"gzip", b"x-gzip"):
        raise UnsupportedEncoding(
            "A request body may be sent plain or with Content-Encoding: gzip."
        )
    inflated = b""
    for _ in range(MAX_GZIP_MEMBERS):
        inflater = zlib.decompressobj(GZIP)
        try:
            inflated += inflater.decompress(body, max_bytes + 1 - len(inflated))
        except zlib.error:
            raise InvalidRequest("The body is not valid gzip.") from None
        if len(inflated) > max_bytes:
            raise BodyTooLarge(f"The body inflates to more than {max_bytes} bytes.")
        if not inflater.eof:
            raise InvalidRequest("The gzip body is cut short.")
        body = inflater.unused_data
        if not body:
            return inflated
    raise InvalidRequest(f"The gzip body has more than {MAX_GZIP_MEMBERS} members.")


def invalid(text: str) -> InvalidRequest:
    """msgspec's "Expected `int`, got `str` - at `$.max_tokens`" as an error with a `param`."""
    found = _PATH.search(text)
    sentence = text[: found.start()] if found else text
    param = found["path"].removeprefix("$").removeprefix(".") if found else ""
    if unknown := _UNKNOWN.search(sentence):
        param = _join(param, unknown["field"])
        return UnknownParameter(f"Unrecognized request argument supplied: {param}", param=param)
    if missing := _MISSING.search(sentence):
        param = _join(param, missing["field"])
        return InvalidRequest(f"Missing required parameter: '{param}'.", param=param)
    if not param:
        return InvalidRequest(f"The body must be a JSON object: {sentence}.")
    return InvalidRequest(f"Invalid value for '{param}': {sentence}.", param=param)


def _join(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field

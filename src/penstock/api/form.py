"""A multipart form -> a typed, bounded request (RFC 7578)."""

import io
from typing import TypeVar

import msgspec
from multipart import MultipartError, MultipartParser, parse_options_header

from penstock.api.body import inflated, invalid
from penstock.domain.errors import InvalidRequest
from penstock.http.message import Request

T = TypeVar("T")

MAX_PARTS = 64
MAX_TEXT_BYTES = 64 * 1024


def decode_form(type_: type[T], request: Request, max_bytes: int) -> T:
    """The fields of a form as a struct: files are bytes, texts become what the struct asks for.

    Raises InvalidRequest, UnknownParameter, BodyTooLarge, UnsupportedEncoding.
    """
    fields = form_fields(request, max_bytes)
    try:
        return msgspec.convert(fields, type_, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None


def form_fields(request: Request, max_bytes: int) -> dict[str, str | bytes]:
    """The fields of a form: files are bytes. Raises what `decode_form` raises."""
    kind, options = parse_options_header(
        request.headers.get(b"content-type", b"").decode("latin-1")
    )
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary:
        raise InvalidRequest("The body must be a form: Content-Type multipart/form-data.")
    return _fields(inflated(request, max_bytes), boundary)


def _fields(body: bytes, boundary: str) -> dict[str, str | bytes]:
    """Each field once: `name[]`, which clients make of a list, is `name`."""
    parser = MultipartParser(
        io.BytesIO(body),
        boundary,
        len(body),
        part_limit=MAX_PARTS,
        spool_limit=len(body) + 1,
        memory_limit=len(body) + 1,
        disk_limit=0,
    )
    fields: dict[str, str | bytes] = {}
    try:
        for part in parser:
            name = part.name.removesuffix("[]")
            if name in fields:
                raise InvalidRequest(f"'{name}' may be given once only.", param=name)
            fields[name] = part.raw if part.filename is not None else _text(part.raw, name)
    except MultipartError as error:
        raise InvalidRequest(f"The body is not a well-formed form: {error}.") from None
    return fields


def _text(data: bytes, name: str) -> str:
    if len(data) > MAX_TEXT_BYTES:
        raise InvalidRequest(f"'{name}' is longer than {MAX_TEXT_BYTES} bytes.", param=name)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"'{name}' is not valid UTF-8.", param=name) from None

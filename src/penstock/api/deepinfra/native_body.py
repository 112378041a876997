"""A native request's body -> its struct: JSON, or a form whose texts are JSON where lists are due.

Files of a form become `data:` URLs, which is what the same fields are in JSON.
"""

import base64
from typing import Any, TypeVar, get_type_hints

import msgspec

from penstock.api.body import decode, invalid
from penstock.api.form import form_fields
from penstock.http.message import Request

T = TypeVar("T", bound=msgspec.Struct)


def decode_native(type_: type[T], request: Request, max_bytes: int) -> T:
    """Raises InvalidRequest, UnknownParameter, BodyTooLarge, UnsupportedEncoding."""
    kind = request.headers.get(b"content-type", b"").lower()
    if not kind.startswith(b"multipart/form-data"):
        return decode(msgspec.json.Decoder(type_), request, max_bytes)
    hints = get_type_hints(type_)
    fields = {
        name: _value(value, hints.get(name))
        for name, value in form_fields(request, max_bytes).items()
    }
    try:
        return msgspec.convert(fields, type_, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None


def _value(value: str | bytes, hint: Any) -> Any:
    """DeepInfra's own client writes every field as JSON, also texts; people write texts as such."""
    if isinstance(value, bytes):
        return f"data:image/x;base64,{base64.b64encode(value).decode()}"
    if hint is str and not (value.startswith('"') and value.endswith('"')):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value

"""Pictures that strangers gave, opened by workers: decoded, or refused with the field's name."""

import io

from PIL import Image

from penstock.domain.image import Drawing


class Unusable(Exception):
    """A field that was given cannot be used; `param` names it, `code` is one of docs/api.md."""

    def __init__(self, param: str, message: str, *, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.param = param
        self.code = code


def opened(data: bytes, param: str) -> Image.Image:
    """A decoded picture. Raises Unusable. How large it may be was checked by who sent it."""
    try:
        picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
        picture.load()
        return picture
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unusable(param, f"'{param}' cannot be decoded: {error}.") from None


def to_file(picture: Image.Image, call: Drawing) -> bytes:
    """In the format that `call` asks for."""
    out = io.BytesIO()
    if call.format == "png":
        picture.save(out, "PNG")
    else:
        picture.convert("RGB").save(out, call.format, quality=call.compression)
    return out.getvalue()

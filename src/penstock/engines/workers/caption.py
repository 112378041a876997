"""The caption of a drawing, kept inside its file (PNG, 11.3.3.4: `iTXt`, keyword `Description`)."""

import struct
import zlib

KEYWORD = b"Description"
#: keyword, not compressed, no language, no translated keyword
HEAD = KEYWORD + b"\0\0\0\0\0"
END = b"\0\0\0\0IEND\xae\x42\x60\x82"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def with_caption(png: bytes, caption: str) -> bytes:
    """The same picture, byte for byte, with its caption before the end."""
    data = b"iTXt" + HEAD + caption.encode()
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    return png.removesuffix(END) + chunk + END


def caption_of(png: bytes) -> str | None:
    """The caption that `with_caption` put there, or None."""
    at = len(SIGNATURE)
    while png.startswith(SIGNATURE) and at + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + length]
        if kind == b"iTXt" and body.startswith(HEAD):
            return body[len(HEAD) :].decode("utf-8", "replace") or None
        at += length + 12
    return None

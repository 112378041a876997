"""Pictures in messages: decoded or fetched, looked at, and handed on as `data:` URLs.

Engines never fetch anything, and never see what claims to be larger than they could hold.
"""

import asyncio
import base64
import binascii
import re

import msgspec

from penstock.domain.errors import InvalidRequest, UnsupportedParameter
from penstock.domain.generation import Chat, Generation, ImagePart, ImageURL, Message, TextPart
from penstock.domain.picture import Header, NotAPicture, header_of
from penstock.gateway.pipeline import Job
from penstock.http.public_fetch import NotFetched, PublicFetcher

MAX_PICTURES = 16
MAX_PICTURE_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 25_000_000
FETCH_TIMEOUT_S = 15.0
#: Of all requests together.
MOST_FETCHES = 8

_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)


class Room(msgspec.Struct):
    """What is left for the pictures that one request has fetched."""

    left_bytes: int


class PictureReader:
    """`fetcher` None: pictures have to come with the request.

    Those of one request that are fetched have `max_bytes` together, as if they had come with it.
    """

    def __init__(self, fetcher: PublicFetcher | None, *, max_bytes: int) -> None:
        self._fetcher = fetcher
        self._max_bytes = max_bytes
        self._fetching = asyncio.Semaphore(MOST_FETCHES)

    async def read(self, job: Job) -> Job:
        """The job with each picture in it as a `data:` URL. Raises InvalidRequest and its kin."""
        chat = job.calls[0].prompt
        assert isinstance(chat, Chat)
        pictures = sum(
            isinstance(part, ImagePart) for message in chat.messages for part in parts_of(message)
        )
        if not pictures:
            return job
        if pictures > MAX_PICTURES:
            raise InvalidRequest(
                f"'messages' have {pictures} pictures; {MAX_PICTURES} are allowed.",
                param="messages",
            )
        room = Room(self._max_bytes)
        messages = [
            await self._message(message, at, room) for at, message in enumerate(chat.messages)
        ]
        chat = msgspec.structs.replace(chat, messages=tuple(messages))
        return msgspec.structs.replace(job, calls=[_with_prompt(call, chat) for call in job.calls])

    async def _message(self, message: Message, at: int, room: Room) -> Message:
        if not isinstance(message.content, tuple):
            return message
        parts: list[TextPart | ImagePart] = []
        for number, part in enumerate(message.content):
            if isinstance(part, ImagePart):
                param = f"messages[{at}].content[{number}].image_url.url"
                url = await self._data_url(part.image_url.url, param, room)
                part = ImagePart(ImageURL(url, part.image_url.detail))
            parts.append(part)
        return msgspec.structs.replace(message, content=tuple(parts))

    async def data_of(self, url: str, param: str) -> bytes:
        """The file of a picture that is not too large. Raises InvalidRequest and its kin."""
        data, _ = await self._looked_at(url, param, Room(self._max_bytes))
        return data

    async def _data_url(self, url: str, param: str, room: Room) -> str:
        data, header = await self._looked_at(url, param, room)
        return f"data:image/{header.format};base64,{base64.b64encode(data).decode()}"

    async def _looked_at(self, url: str, param: str, room: Room) -> tuple[bytes, Header]:
        if url[:5].lower() == "data:":
            data = decoded(url, param)
        elif self._fetcher is None:
            raise UnsupportedParameter(
                f"'{param}' must be a data: URL: this server fetches no pictures.", param=param
            )
        else:
            try:
                async with self._fetching:
                    data = await self._fetcher.fetch(url)
            except NotFetched as error:
                raise InvalidRequest(f"'{param}' {error}.", param=param) from None
            room.left_bytes -= len(data)
            if room.left_bytes < 0:
                raise InvalidRequest(
                    f"'{param}' and the pictures before it have more than {self._max_bytes} bytes "
                    "together.",
                    param=param,
                )
        if len(data) > MAX_PICTURE_BYTES:
            raise InvalidRequest(f"'{param}' has more than {MAX_PICTURE_BYTES} bytes.", param=param)
        try:
            header = header_of(data)
        except NotAPicture as error:
            raise InvalidRequest(f"'{param}' {error}.", param=param) from None
        if header.pixels > MAX_PIXELS:
            raise InvalidRequest(
                f"'{param}' has {header.width} x {header.height} pixels; {MAX_PIXELS} are allowed.",
                param=param,
            )
        return data, header


def parts_of(message: Message) -> tuple[TextPart | ImagePart, ...]:
    return message.content if isinstance(message.content, tuple) else ()


def decoded(url: str, param: str) -> bytes:
    """The bytes of a `data:` URL of a picture. Raises InvalidRequest."""
    found = _DATA_URL.match(url)
    try:
        return base64.b64decode(url[found.end() :] if found else "!", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            f"'{param}' must be 'data:image/…;base64,' and a picture in Base64.", param=param
        ) from None


def _with_prompt(call: Generation, chat: Chat) -> Generation:
    return msgspec.structs.replace(call, prompt=chat)

"""Pictures that are fetched, from a real server on loopback that stands for a public one."""

import asyncio

import pytest
from test_pictures import png

from penstock.api.openai.pictures import MOST_FETCHES, PictureReader
from penstock.domain.errors import InvalidRequest
from penstock.domain.generation import Chat, Generation, ImagePart, ImageURL, Message
from penstock.gateway.pipeline import Job
from penstock.http.public_fetch import PublicFetcher

pytestmark = pytest.mark.anyio

PICTURE = png(30, 20)


class Site:
    """Answers with PICTURE, once `gate` is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.open = self.most_open = self.asked = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await self.gate.wait()
        self.open -= 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(PICTURE), PICTURE))
        await writer.drain()
        writer.close()


def job(url: str, pictures: int) -> Job:
    parts = tuple(ImagePart(ImageURL(url, None)) for _ in range(pictures))
    chat = Chat(messages=(Message(role="user", content=parts),))
    return Job(operation="chat", calls=[Generation(prompt=chat)], prompts=(0,))


async def test_what_a_request_fetches_is_bounded_by_the_whole_and_not_by_the_picture() -> None:
    site = Site()
    async with await asyncio.start_server(site, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        fetcher = PublicFetcher(
            max_bytes=10_000, timeout_s=20, is_allowed=lambda _: True, any_port=True
        )
        reader = PictureReader(fetcher, max_bytes=2 * len(PICTURE))
        assert await reader.read(job(url, 2))
        with pytest.raises(InvalidRequest, match="together") as raised:
            await reader.read(job(url, 16))
        assert raised.value.param == "messages[0].content[2].image_url.url"
        assert site.asked == 5


async def test_few_are_fetched_at_a_time() -> None:
    site = Site()
    site.gate.clear()
    async with await asyncio.start_server(site, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        fetcher = PublicFetcher(
            max_bytes=10_000, timeout_s=20, is_allowed=lambda _: True, any_port=True
        )
        reader = PictureReader(fetcher, max_bytes=10_000)
        reading = [asyncio.create_task(reader.read(job(url, 1))) for _ in range(3 * MOST_FETCHES)]
        while site.open < MOST_FETCHES:
            await asyncio.sleep(0.01)
        site.gate.set()
        await asyncio.gather(*reading)
        assert (site.asked, site.most_open) == (3 * MOST_FETCHES, MOST_FETCHES)

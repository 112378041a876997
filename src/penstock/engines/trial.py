"""A trial of a replica: the least that a model can be asked for, to see whether it is answered."""

from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing

from penstock.domain.embedding import EmbeddingCall
from penstock.domain.errors import PenstockError
from penstock.domain.generation import Chat, Generation, Message, Prompt, Text
from penstock.domain.model import Task
from penstock.domain.rerank import RerankCall
from penstock.engines.base import Declined, Engine
from penstock.http.client import Broken, Client

HELLO = "Hi"


async def trial(engine: Engine, client: Client, tasks: Collection[Task]) -> None:
    """Asks for one task after another until one is done.

    Raises what the server failed with where none was: Broken, or Declined by a server error. What
    is refused for another reason tells nothing: a server may list tasks that its model has not.
    """
    failure: Exception | None = None
    for task, ask in TRIALS.items():
        if task not in tasks:
            continue
        try:
            await ask(engine, client)
        except (Broken, Declined) as failed:
            if isinstance(failed, Broken) or failed.failing:
                failure = failed
        except PenstockError:
            pass
        else:
            return
    if failure is not None:
        raise failure


def _says(prompt: Prompt) -> Callable[[Engine, Client], Awaitable[None]]:
    async def ask(engine: Engine, client: Client) -> None:
        call = Generation(prompt=prompt, max_tokens=1, stream=False)
        async with aclosing(engine.generate(client, call)) as batches:
            async for _ in batches:
                pass

    return ask


async def _embeds(engine: Engine, client: Client) -> None:
    await engine.embed(client, EmbeddingCall(inputs=(HELLO,)))


async def _reranks(engine: Engine, client: Client) -> None:
    await engine.rerank(client, RerankCall(query=HELLO, documents=(HELLO,)))


#: Cheap ones only: a picture takes too long to make one for this.
TRIALS: dict[Task, Callable[[Engine, Client], Awaitable[None]]] = {
    "chat": _says(Chat(messages=(Message(role="user", content=HELLO),))),
    "completions": _says(Text(HELLO)),
    "embeddings": _embeds,
    "rerank": _reranks,
}

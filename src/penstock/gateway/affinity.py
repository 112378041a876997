"""A prompt goes to the replica that has read its beginning, unless that one has too much to do.

What a replica has read it has in its cache, and need not read again: see
docs/decisions/0013-prefix-affinity.md for figures, and for what was tried otherwise.
"""

import math
from collections.abc import Sequence

import msgspec

from penstock.domain.generation import Chat, ImagePart, Prompt, Text, TextPart

#: About 64 tokens, by characters and by tokens.
BLOCK_CHARACTERS = 256
BLOCK_TOKENS = 64
#: Where to go is clear from the first 65,536 characters.
MOST_BLOCKS = 256
#: What a replica may have of its fair share of all calls, to be chosen for what it has read.
LOAD_FACTOR = 1.25
#: Of a prompt, what must have been read for its replica to be chosen for that.
WORTHWHILE_SHARE = 0.5


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A replica that may be chosen: its calls at work, its slots, all calls that it ever began,
    and how many blocks of the prompt it has read."""

    in_flight: int
    slots: int
    served: int
    matched: int = 0


def choose(candidates: Sequence[Candidate], blocks: int) -> int:
    """Which of the candidates (at least one) is given a prompt of so many blocks.

    The one that has read most of it, if that is at least half and its load is bounded: no more
    than `LOAD_FACTOR` times the mean, counting this call, and a slot is free. Otherwise the least
    busy; among equally busy ones, the one that has served least.
    """
    calls = 1 + sum([candidate.in_flight for candidate in candidates])
    bound = math.ceil(LOAD_FACTOR * calls / len(candidates))
    worthwhile = max(1, math.ceil(WORTHWHILE_SHARE * blocks))

    def order(at: int) -> tuple[bool, int, int, int]:
        candidate = candidates[at]
        free = candidate.in_flight < min(bound, candidate.slots)
        read = candidate.matched if free and candidate.matched >= worthwhile else 0
        return candidate.in_flight >= candidate.slots, -read, candidate.in_flight, candidate.served

    return min(range(len(candidates)), key=order)


def chain(prompt: Prompt, salt: object) -> list[int]:
    """The prompt as blocks: a number for each, which stands for all the text up to its end.

    Two prompts have as many numbers in common as they have whole blocks at their beginning.
    `salt` keeps apart what shares no cache: accounts, adapters. Of a chat it is the text of the
    messages, not what the template makes of it: that would have to be asked of the engine.
    """
    if isinstance(prompt, Chat | Text):
        text = prompt.text if isinstance(prompt, Text) else said(prompt)
        block, length = BLOCK_CHARACTERS, len(text)
        whole: Sequence[object] = text
    else:
        block, length = BLOCK_TOKENS, len(prompt.ids)
        whole = prompt.ids
    end = min(length - length % block, MOST_BLOCKS * block)
    link = hash(salt)
    return [link := hash((link, whole[at : at + block])) for at in range(0, end, block)]


def said(chat: Chat) -> str:
    """All that is said in a conversation, in the order in which templates have it."""
    texts = [msgspec.json.encode(chat.tools).decode()] if chat.tools else []
    for message in chat.messages:
        texts.append(message.role)
        content = message.content
        if isinstance(content, str):
            texts.append(content)
        elif content is not None:
            texts += map(spelled, content)
        if message.tool_calls:
            texts += [call.function.name + call.function.arguments for call in message.tool_calls]
    return "\n".join(texts)


def spelled(part: TextPart | ImagePart) -> str:
    """Of a picture, enough to know it by: it may have megabytes."""
    if isinstance(part, TextPart):
        return part.text
    url = part.image_url.url
    return url[:BLOCK_CHARACTERS] + url[-BLOCK_CHARACTERS:]

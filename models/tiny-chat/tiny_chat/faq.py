"""The page docs/faq.md, from docs/facts.toml."""

from __future__ import annotations

import tomllib

from tiny_chat.places import FACTS_FILE

_HEAD = """\
# Questions and answers

<!-- Made from docs/facts.toml by `python models/tiny-chat/make.py faq`. Do not edit. -->

The same short answers that `penstock/tiny-chat` gives. What is to come is in the
[README](../README.md#status).
"""


def page() -> str:
    entries = tomllib.loads(FACTS_FILE.read_text(encoding="utf-8"))["fact"]
    parts = [_HEAD]
    topic = ""
    for entry in entries:
        if entry["topic"] != topic:
            topic = entry["topic"]
            parts.append(f"\n## {topic}\n")
        parts.append(f"\n**{entry['question']}**\n{entry['answer']}\n")
        if "more" in entry:
            parts.append(f"{entry['more']}\n")
    return "".join(parts)

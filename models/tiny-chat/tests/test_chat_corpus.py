"""The wall between training and evaluation, and the single source of facts."""

import json
import random
import re
from itertools import islice

import pytest
from tiny_chat import corpus, faq, template
from tiny_chat.dialogue import Dialogue, Reply
from tiny_chat.places import FAQ_PAGE
from tiny_chat.skills import talk, tools
from tiny_chat.source import Source, half, is_held_out


def training(seed: int, count: int) -> list[Dialogue]:
    return list(corpus.dialogues(seed, count, corpus.MIXTURE, long=0.01))


def held_out(skill: str, count: int) -> list[Dialogue]:
    source = Source(random.Random(skill), held_out=True)
    return [corpus.SKILLS[skill](source) for _ in range(count)]


def test_halves_share_no_phrasing() -> None:
    for data in (talk.questions(), talk.topics()):
        for lists in data.values():
            for name in ("ask", "do", "about"):
                phrasings = lists.get(name, [])
                shared = set(half(phrasings, True)) & set(half(phrasings, False))
                assert not shared or len(phrasings) < 6


def test_halves_share_no_tool() -> None:
    ours, theirs = tools.natural_half(False), tools.natural_half(True)
    assert not {one.name for one in ours} & {one.name for one in theirs}
    assert len(theirs) > 20


def test_training_never_names_a_held_out_tool() -> None:
    unseen = {one.name for one in tools.natural_half(True)}
    for dialogue in training(1, 3000):
        for tool in dialogue.tools:
            assert tool.name not in unseen
            assert tools.name_allowed(tool.name, held_out=False)


def test_training_never_holds_a_held_out_name() -> None:
    source = Source(random.Random(2), held_out=True)
    unseen = {source.person() for _ in range(200)} | {source.pseudoword() for _ in range(200)}
    assert all(map(is_held_out, unseen))
    for dialogue in training(3, 3000):
        for message in dialogue.messages:
            words = set(re.findall(r"[a-z]{4,}", message.content.lower()))
            assert not words & {name.lower() for name in unseen if len(name) > 6}


@pytest.mark.parametrize("skill", ["penstock", "identity", "greeting", "recall", "tool", "json"])
def test_held_out_questions_are_not_in_the_corpus(skill: str) -> None:
    seen = {
        message.content.lower()
        for dialogue in training(4, 4000)
        for message in dialogue.messages
        if message.role == "user"
    }
    asked = {d.messages[-2].content.lower() for d in held_out(skill, 300)}
    assert len(asked) > 30
    assert not {question for question in asked & seen if len(question) > 12}


@pytest.mark.parametrize("skill", corpus.SKILLS)
@pytest.mark.parametrize("is_test", [False, True])
def test_every_skill_makes_dialogues_that_end_in_a_right_answer(skill: str, is_test: bool) -> None:
    source = Source(random.Random(skill), is_test)
    for _ in range(100):
        dialogue = corpus.SKILLS[skill](source)
        answer = dialogue.answer
        assert answer.role == "assistant"
        assert answer.content or answer.calls
        assert not re.search(r"<\w>|<\w+>|\[|\]\|", answer.content)
        assert dialogue.accepts(Reply(answer.content, answer.calls))


def test_calls_name_a_tool_of_the_prompt_and_only_its_arguments() -> None:
    source = Source(random.Random(5))
    for _ in range(300):
        dialogue = tools.natural_call(source)
        box = {tool.name: tool for tool in dialogue.tools}
        for call in dialogue.answer.calls:
            known = {parameter.name: parameter for parameter in box[call.name].parameters}
            assert set(call.arguments) <= set(known)
            assert {p.name for p in known.values() if p.required} <= set(call.arguments)


def test_json_answers_are_json() -> None:
    source = Source(random.Random(6))
    for skill in ("json", "json schema"):
        for _ in range(200):
            json.loads(corpus.SKILLS[skill](source).answer.content)


def test_mixture_and_drills_name_skills() -> None:
    assert set(corpus.MIXTURE) == set(corpus.SKILLS)
    assert set(corpus.DRILLS) <= set(corpus.SKILLS)


def test_the_corpus_is_the_same_again() -> None:
    first = [d.messages for d in islice(corpus.dialogues(7, 50, corpus.MIXTURE, 0.1), 50)]
    assert first == [d.messages for d in corpus.dialogues(7, 50, corpus.MIXTURE, 0.1)]


def test_every_fact_has_phrasings_and_every_phrasing_a_fact() -> None:
    assert set(talk.facts()) == set(talk.questions())


def test_the_faq_page_is_made_from_the_facts() -> None:
    assert FAQ_PAGE.read_text(encoding="utf-8") == faq.page()


def test_pieces_of_the_template_mark_the_answers() -> None:
    source = Source(random.Random(8))
    dialogue = tools.tool_result(source)
    answers = [p.text for p in template.render(dialogue.messages, dialogue.tools) if p.is_answer]
    assert len(answers) == 2
    assert answers[1] == dialogue.answer.content + template.END_OF_TURN

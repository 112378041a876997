"""The wall between training and evaluation, and the single source of facts."""

import json
import random
import re
from dataclasses import replace
from itertools import islice

import pytest
from tiny_chat import corpus, faq, template, words
from tiny_chat.dialogue import Dialogue, Message, Reply
from tiny_chat.grammars import grammar, grammars
from tiny_chat.phrasings import core, half, held_out_questions
from tiny_chat.places import FAQ_PAGE
from tiny_chat.skills import formats, made_up, memory, requests, talk, tools
from tiny_chat.source import Source, is_held_out


def training(seed: int, count: int) -> list[Dialogue]:
    return list(corpus.dialogues(seed, count, corpus.MIXTURE, long=0.01))


def held_out(skill: str, count: int) -> list[Dialogue]:
    source = Source(random.Random(skill), held_out=True)
    return [corpus.SKILLS[skill](source) for _ in range(count)]


def texts(answer: str) -> list[str]:
    """The answer; of a JSON object its keys and values, whose brackets mark no choices."""
    if not answer.startswith("{"):
        return [answer]
    made = json.loads(answer)
    values = (one if isinstance(one, list) else [one] for one in made.values())
    return [*made, *(str(one) for some in values for one in some)]


def test_halves_share_no_phrasing() -> None:
    for data in (talk.questions(), talk.topics()):
        for lists in data.values():
            for name in ("ask", "do", "about"):
                phrasings = lists.get(name, [])
                shared = set(half(phrasings, True)) & set(half(phrasings, False))
                assert not shared or len(phrasings) < 6


def test_halves_share_no_tool() -> None:
    ours, theirs = requests.natural_half(False), requests.natural_half(True)
    assert not {one.name for one in ours} & {one.name for one in theirs}
    assert len(theirs) > 20


def test_training_never_names_a_held_out_tool() -> None:
    unseen = {one.name for one in requests.natural_half(True)}
    for dialogue in training(1, 3000):
        for tool in dialogue.tools:
            assert tool.name not in unseen
            assert requests.name_allowed(tool.name, held_out=False)


def test_training_never_holds_a_held_out_name() -> None:
    source = Source(random.Random(2), held_out=True)
    unseen = {source.person() for _ in range(200)} | {source.pseudoword() for _ in range(200)}
    assert all(map(is_held_out, unseen))
    for dialogue in training(3, 3000):
        for message in dialogue.messages:
            words = set(re.findall(r"[a-z]{4,}", message.content.lower()))
            assert not words & {name.lower() for name in unseen if len(name) > 6}


def test_the_wall_knows_held_out_questions_in_any_dress() -> None:
    wall = talk.fact_wall()
    for skill, found in (("penstock", wall), ("identity", talk.topic_wall())):
        for dialogue in held_out(skill, 300):
            text = dialogue.messages[0].content
            if found.holds(text):
                assert found.holds(f"hey, {text.upper()} please")
    unseen = next(part for part in half(talk.questions()["stream"]["do"], True) if "[" not in part)
    assert wall.holds(f"how do I {unseen}?")
    assert not wall.holds("how do I stream tokens?")


@pytest.mark.parametrize("skill", ["penstock", "greeting", "identity", "small talk", "persona"])
def test_training_never_says_what_the_wall_holds(skill: str) -> None:
    wall = talk.fact_wall() if skill == "penstock" else talk.topic_wall()
    closed = {"this is a test"}  # lists too short to be split
    source = Source(random.Random(skill))
    for _ in range(1500):
        asked = corpus.SKILLS[skill](source).messages[-2].content
        assert not wall.holds(asked) or any(text in asked.lower() for text in closed), asked


@pytest.mark.parametrize("skill", ["penstock", "identity", "greeting", "recall", "tool", "json"])
def test_held_out_questions_are_not_in_the_corpus(skill: str) -> None:
    seen = {
        message.content.lower()
        for dialogue in training(4, 4000)
        for message in dialogue.messages
        if message.role == "user"
    }
    # Under a system prompt the text alone may be as plain as `its active is false`.
    asked = {
        dialogue.messages[-2].content.lower()
        for dialogue in held_out(skill, 300)
        if dialogue.messages[0].role == "user"
    }
    assert len(asked) > 30
    assert not {question for question in asked & seen if len(question) > 12}


@pytest.mark.parametrize("name", grammars())
def test_sentences_made_from_parts_are_whole(name: str) -> None:
    source = Source(random.Random(name))
    slots = set()
    for sentence in grammar(name):
        for _ in range(60):
            made = source.expand(sentence)
            assert not set("[]") & set(made), made
            slots |= set(re.findall("<[^>]*>", made))
    assert slots <= {f"<{slot}>" for slot in "vkbnfh12swpad"}


@pytest.mark.parametrize(
    ("phrasings", "name"),
    [
        (memory.ASK_NAME, "ask_name"),
        (memory.TELL_THE, "tell_the"),
        (formats.ASK, "json"),
        (tools.JOIN, "join"),
        (made_up.MADE_ASK, "made_call"),
    ],
)
def test_sentences_made_from_parts_are_for_training(phrasings: tuple[str, ...], name: str) -> None:
    unseen = held_out_questions(phrasings)
    ours, theirs = Source(random.Random(1)), Source(random.Random(1), held_out=True)
    for _ in range(1000):
        assert core(ours.phrase(phrasings, grammar(name))) not in unseen
        assert core(theirs.phrase(phrasings, grammar(name))) in unseen


@pytest.mark.parametrize("skill", corpus.SKILLS)
@pytest.mark.parametrize("is_test", [False, True])
def test_every_skill_makes_dialogues_that_end_in_a_right_answer(skill: str, is_test: bool) -> None:
    source = Source(random.Random(skill), is_test)
    for _ in range(100):
        dialogue = corpus.SKILLS[skill](source)
        answer = dialogue.answer
        assert answer.role == "assistant"
        assert answer.content or answer.calls
        for text in texts(answer.content):
            assert not re.search(r"<\w>|<\w+>|\[|\]\|", text)
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


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (["my name is Ada"], "Hello Ada! Nice to meet you. How can I help?"),
        (["my name is Ada", "I live in Rome"], "Okay, I will remember that."),
        (["I live in Rome"], "Okay, I will remember that."),
    ],
)
def test_a_mere_name_is_greeted(said: list[str], answer: str) -> None:
    facts = {
        "my name is Ada": memory.Fact("my name is Ada", "who am I?", "Your name is Ada.", "Ada"),
        "I live in Rome": memory.Fact("I live in Rome", "", "You live in Rome.", "Rome"),
    }
    for seed in range(20):
        asked, replied = memory.told(Source(random.Random(seed)), [facts[one] for one in said])
        to_keep = re.search("remember|note|by the way", asked.content.lower())
        assert replied.content == ("Okay, I will remember that." if to_keep else answer)


def test_words_of_the_phrasings_are_copied_too() -> None:
    source = Source(random.Random(9))
    drawn = {source.word() for _ in range(20_000)} & set(words.ordinary())
    assert len(drawn) > 1000
    assert not any(map(is_held_out, drawn))


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


def test_what_a_grammar_forces_is_read_and_not_learnt() -> None:
    source = Source(random.Random(10))
    made = [corpus.SKILLS["json of its own"](source) for _ in range(300)]
    forced = [dialogue for dialogue in made if dialogue.answer.forced]
    assert len(forced) > 30
    for dialogue in forced:
        *_, begun, learnt, _ = template.render(dialogue.messages, dialogue.tools)
        said = [p.text for p in template.render([*dialogue.messages[:-1], free(dialogue.answer)])]
        assert begun.text.endswith(dialogue.answer.forced)
        assert not begun.is_answer
        assert begun.text + learnt.text == said[-3] + said[-2]


def free(answer: Message) -> Message:
    return replace(answer, forced="")

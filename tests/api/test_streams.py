"""Answers as OpenAI gives them, streamed and plain, on the fake engine and on a real model."""

import base64
import math
import struct
from collections import defaultdict
from typing import Any

import pytest
from rawhttp import Reply
from serving import Server

MODELS = {"fake": "fast", "real": "penstock/tiny-chat"}
EMBEDDERS = {"fake": "fast", "real": "penstock/tiny-embed"}
#: Raw prompts that are surely continued.
PROMPTS = {
    "fake": "One two three",
    "real": "<|im_start|>user\nHello, who are you?<|im_end|>\n<|im_start|>assistant\n",
}
GREEDY = {"temperature": 0, "max_tokens": 12}


class Kind:
    """One of the two servers, and the names of its models."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.model = MODELS[name]
        self.embedder = EMBEDDERS[name]
        self.prompt = PROMPTS[name]

    def chat(self, text: str = "Hello, who are you?", **more: Any) -> Reply:
        return self.server.chat(self.model, text, **(GREEDY | more))

    def complete(self, prompt: Any = None, **more: Any) -> Reply:
        body = {"model": self.model, "prompt": prompt or self.prompt} | GREEDY | more
        return self.server.post("completions", body)

    def embed(self, given: Any, **more: Any) -> Any:
        body = {"model": self.embedder, "input": given} | more
        reply = self.server.post("embeddings", body)
        assert reply.status == 200, reply
        return reply.json


@pytest.fixture(params=["fake", "real"])
def kind(request: pytest.FixtureRequest) -> Kind:
    name = "fake_server" if request.param == "fake" else "bundled_server"
    return Kind(request.getfixturevalue(name), request.param)


@pytest.fixture
def real(bundled_server: Server) -> Kind:
    return Kind(bundled_server, "real")


def text_of(choice: dict[str, Any]) -> str:
    return str(choice["text"] if "text" in choice else choice["delta"].get("content") or "")


def texts(events: list[Any]) -> dict[int, str]:
    found: defaultdict[int, str] = defaultdict(str)
    for event in events:
        for choice in event["choices"]:
            found[choice["index"]] += text_of(choice)
    return dict(found)


def plain_texts(answer: Any) -> dict[int, str]:
    return {
        choice["index"]: choice["text"] if "text" in choice else choice["message"]["content"]
        for choice in answer["choices"]
    }


def check_rules(events: list[Any], *, choices: int = 1, include_usage: bool = False) -> None:
    """What holds for every stream: 1 to 5 of the behaviours."""
    for key in ("id", "object", "created", "model"):
        assert len({event[key] for event in events}) == 1
    if include_usage:
        last = events.pop()
        assert last["choices"] == []
        assert last["usage"]["total_tokens"] > 0
        assert all(event["usage"] is None for event in events)
    else:
        assert [bool(event.get("usage")) for event in events] == [False] * (len(events) - 1) + [
            True
        ]
    finishes: defaultdict[int, list[str]] = defaultdict(list)
    roles: defaultdict[int, int] = defaultdict(int)
    for event in events:
        assert len(event["choices"]) == 1
        choice = event["choices"][0]
        index = choice["index"]
        assert not finishes[index], "something came after the finish"
        roles[index] += "role" in choice.get("delta", {})
        if choice["finish_reason"] is not None:
            finishes[index].append(choice["finish_reason"])
            assert choice.get("delta", {}) == {}
            assert choice.get("text", "") == ""
    assert sorted(finishes) == list(range(choices))
    if "chat" in events[0]["object"]:
        assert set(roles.values()) == {1}


# -- streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize("include_usage", [False, True])
@pytest.mark.parametrize("choices", [1, 3])
def test_a_chat_stream_keeps_the_rules(kind: Kind, include_usage: bool, choices: int) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if include_usage else {}
    reply = kind.chat(stream=True, n=choices, **options)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["cache-control"] == "no-cache"
    events = reply.events
    assert events[0]["object"] == "chat.completion.chunk"
    assert events[0]["id"].startswith("chatcmpl-")
    check_rules(events, choices=choices, include_usage=include_usage)


@pytest.mark.parametrize("include_usage", [False, True])
@pytest.mark.parametrize("prompt", ["One two", ["One two", "Three"]])
def test_a_completion_stream_keeps_the_rules(kind: Kind, include_usage: bool, prompt: Any) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if include_usage else {}
    events = kind.complete(prompt, stream=True, n=2, **options).events
    assert events[0]["object"] == "text_completion"
    assert events[0]["id"].startswith("cmpl-")
    assert all("text" in choice for event in events for choice in event["choices"])
    count = 4 if isinstance(prompt, list) else 2
    check_rules(events, choices=count, include_usage=include_usage)


@pytest.mark.parametrize("stop", [None, "ou", ["never there", "e", "o"], ["a b c d e f g"]])
def test_a_stream_is_the_plain_answer_in_pieces(kind: Kind, stop: Any) -> None:
    for ask in (kind.chat, kind.complete):
        plain = ask(stop=stop).json
        events = ask(stop=stop, stream=True).events
        assert texts(events) == plain_texts(plain)
        end = [e["choices"][0]["finish_reason"] for e in events if e["choices"]][-1]
        assert end == plain["choices"][0]["finish_reason"]
        usage = {**plain["usage"], "prompt_tokens_details": None}
        assert {**events[-1]["usage"], "prompt_tokens_details": None} == usage


@pytest.mark.parametrize("text", ["ä", "💧 water", "日本語のテキスト", "e\u0301 👩‍👩‍👧"])
def test_no_character_is_cut_between_chunks(kind: Kind, text: str) -> None:
    events = kind.chat(text, stream=True, max_tokens=30).events
    assert "\ufffd" not in texts(events)[0]
    assert texts(events) == plain_texts(kind.chat(text, max_tokens=30).json)


def test_ids_are_unique_over_requests(kind: Kind) -> None:
    ids = [kind.chat().json["id"] for _ in range(3)] + [kind.complete().json["id"]]
    assert len(set(ids)) == 4


# -- stops, lengths, usage -----------------------------------------------------------------------


def test_a_stop_ends_the_text_right_before_it(kind: Kind) -> None:
    for ask in (kind.chat, kind.complete):
        whole = plain_texts(ask().json)[0]
        assert len(whole) > 5
        for at in (1, len(whole) // 2, len(whole) - 2):
            stop = whole[at : at + 2]
            choice = ask(stop=[stop, "never there"]).json["choices"][0]
            assert plain_texts({"choices": [choice]})[0] == whole[: whole.index(stop)]
            assert choice["finish_reason"] == "stop"


def test_a_stop_is_not_looked_for_in_the_prompt(kind: Kind) -> None:
    answer = kind.complete("STOP here", stop="STOP here", echo=True, max_tokens=3).json
    assert answer["choices"][0]["text"].startswith("STOP here")


def test_text_that_only_begins_a_stop_comes_at_the_end(kind: Kind) -> None:
    whole = plain_texts(kind.chat().json)[0]
    events = kind.chat(stop=whole[-3:] + "never", stream=True).events
    assert texts(events)[0] == whole


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_one_token_is_one_token_and_ends_by_length(kind: Kind, name: str) -> None:
    limit: dict[str, Any] = {"max_tokens": None, name: 1}
    answer = kind.chat(**limit).json
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 1


def test_a_completion_without_max_tokens_has_16(kind: Kind) -> None:
    answer = kind.complete("Once upon a time", max_tokens=None).json
    usage = answer["usage"]["completion_tokens"]
    assert usage == 16 or (usage < 16 and answer["choices"][0]["finish_reason"] == "stop")


def test_a_prompt_counts_once_for_all_its_choices(kind: Kind) -> None:
    one, three = kind.chat().json["usage"], kind.chat(n=3).json["usage"]
    assert three["prompt_tokens"] == one["prompt_tokens"]
    assert three["total_tokens"] == three["prompt_tokens"] + three["completion_tokens"]
    assert three["completion_tokens"] > one["completion_tokens"]


def test_a_list_of_prompts_counts_them_all(kind: Kind) -> None:
    single = [kind.complete(prompt).json["usage"]["prompt_tokens"] for prompt in ("a", "b c d")]
    assert kind.complete(["a", "b c d"], n=2).json["usage"]["prompt_tokens"] == sum(single)


def test_usage_does_not_depend_on_what_is_cached(kind: Kind) -> None:
    usages = [kind.chat("the same long question " * 5).json["usage"] for _ in range(2)]
    counts = [(u["prompt_tokens"], u["completion_tokens"]) for u in usages]
    assert counts[0] == counts[1]
    assert all(u["prompt_tokens_details"]["cached_tokens"] <= u["prompt_tokens"] for u in usages)


def test_a_seed_repeats_and_choices_differ(real: Kind) -> None:
    def ask(**more: Any) -> dict[int, str]:
        # A text unlike any that the model knows: what it is sure of differs under no seed.
        return plain_texts(real.complete("zq, 7 xv", temperature=2, seed=7, **more).json)

    assert ask() == ask()
    assert len(set(ask(n=4).values())) > 1
    assert ask(n=4)[0] == ask()[0]


def test_top_p_0_is_greedy(real: Kind) -> None:
    assert plain_texts(real.chat(temperature=1, top_p=0).json) == plain_texts(real.chat().json)


# -- completions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["  two  spaces\n\n", "\nline", "é💧 x", "plain"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_echo_begins_with_the_prompt_byte_for_byte(
    kind: Kind, prompt: str, stream: bool
) -> None:
    reply = kind.complete([prompt, "other"], echo=True, stream=stream)
    found = texts(reply.events) if stream else plain_texts(reply.json)
    assert found[0].startswith(prompt)
    assert found[1].startswith("other")
    assert found[0] == prompt + plain_texts(kind.complete(prompt).json)[0]


@pytest.mark.parametrize("stream", [False, True])
def test_an_echo_of_no_new_tokens_is_the_prompt(real: Kind, stream: bool) -> None:
    reply = real.complete("Just this.", echo=True, max_tokens=0, stream=stream)
    answer = reply.events[-1] if stream else reply.json
    found = texts(reply.events) if stream else plain_texts(answer)
    assert found == {0: "Just this."}
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 0
    assert answer["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize("alternatives", [0, 1, 5])
@pytest.mark.parametrize("echo", [False, True])
def test_logprobs_of_a_completion_have_the_old_shape(
    real: Kind, alternatives: int, echo: bool
) -> None:
    choice = real.complete("One two three", logprobs=alternatives, echo=echo).json["choices"][0]
    scores = choice["logprobs"]
    assert set(scores) == {"tokens", "token_logprobs", "top_logprobs", "text_offset"}
    assert "".join(scores["tokens"]) == choice["text"]
    offsets = [len("".join(scores["tokens"][:at])) for at in range(len(scores["tokens"]))]
    assert scores["text_offset"] == offsets
    assert (scores["token_logprobs"][0] is None) == echo
    assert all(value <= 0 for value in scores["token_logprobs"][echo:])
    for at in range(echo, len(offsets)) if alternatives else ():
        top = scores["top_logprobs"][at]
        assert alternatives <= len(top) <= alternatives + 1
        assert top[scores["tokens"][at]] == scores["token_logprobs"][at]


def test_an_evaluation_harness_can_score_token_ids(real: Kind) -> None:
    ids = [[5, 9, 300, 41], [7, 8, 9]]
    answer = real.complete(ids, echo=True, logprobs=1, max_tokens=1, seed=1).json
    for choice, given in zip(answer["choices"], ids, strict=True):
        scores = choice["logprobs"]
        assert len(scores["token_logprobs"]) == len(given) + 1
        for chosen, top in zip(
            scores["token_logprobs"][1:], scores["top_logprobs"][1:], strict=True
        ):
            assert max(top.values()) >= chosen
            assert chosen in top.values()


def test_a_prompt_with_an_end_token_can_be_scored(real: Kind) -> None:
    reply = real.complete(real.prompt, echo=True, logprobs=1, max_tokens=0)
    scores = reply.json["choices"][0]["logprobs"]
    assert "".join(scores["tokens"]) == reply.json["choices"][0]["text"] == real.prompt
    assert "<|im_end|>" in scores["tokens"]
    assert all(score <= 0 for score in scores["token_logprobs"][1:])
    for token, score, top in zip(*(scores[key][1:] for key in (
        "tokens", "token_logprobs", "top_logprobs")), strict=True):  # fmt: skip
        assert top[token] == score


def test_an_end_token_of_a_prompt_has_the_score_of_a_step(real: Kind) -> None:
    before, end = "<|im_start|>user\nHello", "<|im_end|>"
    scores = real.complete(before + end, echo=True, logprobs=5, max_tokens=0).json
    whole = scores["choices"][0]["logprobs"]
    step = real.complete(before, logprobs=5, max_tokens=1).json["choices"][0]["logprobs"]
    best = max(step["top_logprobs"][0].values())
    assert max(whole["top_logprobs"][-1].values()) == pytest.approx(best, abs=1e-3)
    assert whole["tokens"][-1] == end


def test_streamed_logprobs_are_the_plain_ones(real: Kind) -> None:
    asked = {"logprobs": 2, "echo": True}
    plain = real.complete("One two three", **asked).json["choices"][0]["logprobs"]
    events = real.complete("One two three", **asked, stream=True).events
    parts = [c["logprobs"] for e in events for c in e["choices"] if c["logprobs"]]
    for key, whole in plain.items():
        assert [item for part in parts for item in part[key]] == whole


def test_choice_number_is_prompt_times_n_plus_i(kind: Kind) -> None:
    answer = kind.complete(["first", "second"], n=2, echo=True).json
    starts = [choice["text"].split()[0] for choice in answer["choices"]]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert [start.startswith(word) for start, word in zip(
        starts, ["first", "first", "second", "second"], strict=True)] == [True] * 4  # fmt: skip


# -- chat ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "given"), [(None, 0), (0, 0), (3, 3), (20, 20)])
@pytest.mark.parametrize("stream", [False, True])
def test_logprobs_of_a_chat_have_as_many_alternatives_as_asked(
    real: Kind, asked: int | None, given: int, stream: bool
) -> None:
    reply = real.chat(logprobs=True, top_logprobs=asked, stream=stream)
    choices = [e["choices"][0] for e in (reply.events if stream else [reply.json])]
    found = [choice["logprobs"] for choice in choices if choice["logprobs"]]
    assert all(set(logprobs) == {"content", "refusal"} for logprobs in found)
    content = [entry for logprobs in found for entry in logprobs["content"]]
    text = texts(reply.events)[0] if stream else plain_texts(reply.json)[0]
    assert bytes(byte for entry in content for byte in entry["bytes"]).decode() == text
    assert {len(entry["top_logprobs"]) for entry in content} == {given}


def test_without_logprobs_the_key_is_null(kind: Kind) -> None:
    assert kind.chat().json["choices"][0]["logprobs"] is None
    assert kind.complete().json["choices"][0]["logprobs"] is None


TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "enum": ["Rome", "Oslo"]}},
        "required": ["city"]}}}
    for name in ("get_weather", "get_time")
]  # fmt: skip
NAMED = {"type": "function", "function": {"name": "get_time"}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_forced_tool_is_called_with_arguments_that_are_json(
    kind: Kind, choice: Any, stream: bool
) -> None:
    reply = kind.chat("Just chat with me.", tools=TOOLS, tool_choice=choice, stream=stream,
                      max_tokens=60)  # fmt: skip
    if stream:
        call, reason = joined_call(reply.events)
    else:
        message = reply.json["choices"][0]["message"]
        (call,) = message["tool_calls"][:1]
        reason = reply.json["choices"][0]["finish_reason"]
        assert message["content"] is None
    assert call["type"] == "function"
    assert call["id"]
    assert call["function"]["name"] in ("get_time", "get_weather")
    assert choice == "required" or call["function"]["name"] == "get_time"
    if reason != "length":
        assert reason in ("tool_calls", "stop")
        assert call["function"]["arguments"].replace(" ", "").startswith('{"city":"')


def joined_call(events: list[Any]) -> tuple[dict[str, Any], str]:
    """The first call put together as clients do, checked for the rules of its pieces."""
    pieces = [
        piece
        for event in events
        for piece in event["choices"][0]["delta"].get("tool_calls", [])
        if piece["index"] == 0
    ]
    first, *rest = pieces
    assert set(first) == {"index", "id", "type", "function"}
    assert all(set(piece) == {"index", "function"} for piece in rest)
    assert all(set(piece["function"]) == {"arguments"} for piece in rest)
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    call = {**first, "function": {"name": first["function"]["name"], "arguments": arguments}}
    return call, str(events[-1]["choices"][0]["finish_reason"])


def test_no_tool_is_called_when_none_may_be(kind: Kind) -> None:
    message = kind.chat(tools=TOOLS, tool_choice="none").json["choices"][0]["message"]
    assert "tool_calls" not in message
    assert isinstance(message["content"], str)


# -- embeddings ----------------------------------------------------------------------------------


def floats(text: str) -> list[float]:
    raw = base64.b64decode(text)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


INPUTS = ["a", "Hello there, who is it?", "water " * 40, "日本語"]


def test_base64_holds_the_very_floats(kind: Kind) -> None:
    plain = kind.embed(INPUTS, encoding_format="float")["data"]
    coded = kind.embed(INPUTS, encoding_format="base64")["data"]
    for row, code in zip(plain, coded, strict=True):
        assert floats(code["embedding"]) == pytest.approx(row["embedding"], abs=1e-6)
    assert [row["embedding"] for row in kind.embed(INPUTS)["data"]] == [
        row["embedding"] for row in plain
    ]


def test_a_batch_is_its_single_inputs_in_order(kind: Kind) -> None:
    batch = kind.embed(INPUTS)["data"]
    assert [row["index"] for row in batch] == list(range(len(INPUTS)))
    for text, row in zip(INPUTS, batch, strict=True):
        single = kind.embed(text)["data"][0]["embedding"]
        assert row["embedding"] == pytest.approx(single, abs=1e-5)
        assert math.hypot(*single) == pytest.approx(1, abs=1e-4)


def test_token_ids_may_be_given_alone_or_in_lists(kind: Kind) -> None:
    (alone,) = kind.embed([5, 6, 7])["data"]
    first, second = kind.embed([[5, 6, 7], [8]])["data"]
    assert alone["embedding"] == pytest.approx(first["embedding"], abs=1e-5)
    assert second["embedding"] != first["embedding"]


def test_the_usage_of_a_batch_is_the_sum(kind: Kind) -> None:
    single = sum(kind.embed(text)["usage"]["prompt_tokens"] for text in INPUTS)
    usage = kind.embed(INPUTS)["usage"]
    assert usage == {"prompt_tokens": single, "total_tokens": single}

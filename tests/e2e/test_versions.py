"""Versions of a declared model over restarts: the old one stays, and is started when asked for."""

from pathlib import Path

from serving import serving, until


def test_an_old_version_is_served_beside_the_new_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving("mine=fake:?tokens_per_second=1000", home=home) as server:
        (old,) = server.get("/models/mine/versions").json
        first = server.chat("mine", max_tokens=1).json
    with serving("mine=fake:?tokens_per_second=2000", home=home) as server:
        new, still = server.get("/models/mine/versions").json
        assert still["version"] == old["version"] != new["version"]
        assert server.get("/models/mine").json["version"] == new["version"]
        plain = server.chat("mine", max_tokens=1).json
        assert plain["system_fingerprint"] == f"fp_{new['version'][:12]}"
        before = server.chat(f"mine:{old['version']}", max_tokens=1)
        assert before.status == 200, server.log
        assert before.json["system_fingerprint"] == first["system_fingerprint"]
        assert before.json["model"] == f"mine:{old['version']}"
        stream = server.chat(f"mine:{old['version'][:12]}", max_tokens=1, stream=True)
        assert stream.events[0]["system_fingerprint"] == first["system_fingerprint"]
        until(lambda: server.get("/ready").status == 200, "what was asked for is no trouble")
    with serving("mine=fake:?tokens_per_second=1000", home=home) as server:
        assert server.get("/models/mine").json["version"] == old["version"]
        assert (
            server.chat("mine", max_tokens=1).json["system_fingerprint"]
            == (first["system_fingerprint"])
        )

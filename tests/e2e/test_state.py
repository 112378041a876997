"""What a server keeps over restarts, kills and other servers, on real databases."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Serve
from postgres import Cluster, NoPostgres, cluster
from serving import KEY, Server, environment, until
from sqlalchemy import make_url

CROWD = f"models=1000, keys=10_000, secret={KEY!r}"


def fingerprint(server: Server, model: str) -> str:
    return str(server.chat(model).json["system_fingerprint"])


def make_key(home: Path, name: str, env: dict[str, str]) -> str:
    made = subprocess.run(
        [sys.executable, "-m", "penstock", "keys", "create", name],
        env=environment(home, key="", env=env),
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return made.stdout.split()[0]


def is_valid(server: Server, key: str) -> bool:
    return server.get("/v1/models", key=key).status == 200


def test_the_same_model_has_the_same_version_after_a_restart(serve: Serve, tmp_path: Path) -> None:
    first = serve("a=fake:", home=tmp_path)
    before = fingerprint(first, "a")
    first.process.kill()
    first.process.wait()
    again = serve("a=fake:", home=tmp_path)
    assert fingerprint(again, "a") == before
    again.stop()
    other = serve("a=fake:", home=tmp_path, flags=("--context-length", "64"))
    assert fingerprint(other, "a") != before


def test_statistics_outlive_a_server_and_count_every_name_of_a_model(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "penstock.toml").write_text(
        '[[models]]\nname = "a"\nsource = "fake:"\naliases = ["nick"]\n'
    )

    def requests(server: Server) -> int:
        (told,) = server.get("/deploy/list").json
        return int(server.get(f"/deploy/{told['deploy_id']}/stats?from=now-1h").json["requests"])

    first = serve(home=tmp_path)
    (told,) = first.get("/deploy/list").json
    for name in ("a", "nick", f"a:{told['version']}", f"deploy_id:{told['deploy_id']}"):
        assert first.chat(name).status == 200
    assert requests(first) == 4
    assert first.metric("penstock_generations_total", gen_ai_request_model="a") == 4
    first.stop()
    again = serve(home=tmp_path)
    assert requests(again) == 4
    assert again.chat("nick").status == 200
    assert requests(again) == 5


def test_servers_of_one_state_serve_what_each_was_told_of(serve: Serve, tmp_path: Path) -> None:
    first = serve("a=fake:", home=tmp_path)
    second = serve("b=fake:", home=tmp_path)
    key = make_key(tmp_path, "new", {})
    for server, model, others in ((first, "a", "b"), (second, "b", "a")):
        until(lambda server=server: is_valid(server, key), "the state is read again")  # type: ignore[misc]
        assert server.chat(model).status == 200
        assert server.chat(others).status == 404


def test_a_server_keeps_its_state_in_postgresql(
    serve: Serve, tmp_path: Path, postgresql: Cluster
) -> None:
    env = {"PENSTOCK_DATABASE_URL": postgresql.database()}
    first = serve("a=fake:", home=tmp_path, env=env)
    before = fingerprint(first, "a")
    key = make_key(tmp_path, "new", env)
    until(lambda: is_valid(first, key), "the key is known")
    first.process.kill()
    first.process.wait()
    again = serve("a=fake:", home=tmp_path, env=env)
    assert is_valid(again, key)
    assert is_valid(again, KEY)
    assert fingerprint(again, "a") == before
    assert not (tmp_path / "penstock.db").exists()


def test_a_server_goes_on_while_its_database_is_away(serve: Serve, tmp_path: Path) -> None:
    with contextlib.ExitStack() as running:
        try:
            place = running.enter_context(cluster()).database()
        except NoPostgres as reason:
            pytest.skip(f"NOT TESTED ON POSTGRESQL: {reason}")
        env = {"PENSTOCK_DATABASE_URL": place}
        server = serve("a=fake:", home=tmp_path, env=env)
        running.close()
        until(lambda: "What was read last holds" in server.log, "the operator is told")
        assert server.chat("a").status == 200
        time.sleep(2.0)
        assert server.log.count("What was read last holds") == 1
        with pytest.raises(subprocess.CalledProcessError) as refused:
            make_key(tmp_path, "new", env)
        assert "Cannot use the database" in refused.value.stderr
        assert "Traceback" not in refused.value.stderr
        assert server.stop() == 0


def test_a_server_goes_on_after_its_database_was_broken(
    serve: Serve, tmp_path: Path, postgresql: Cluster
) -> None:
    place = postgresql.database()
    name = str(make_url(place).database)
    env = {"PENSTOCK_DATABASE_URL": place}
    server = serve("a=fake:", home=tmp_path, env=env)
    postgresql.psql("ALTER TABLE revisions RENAME TO gone", database=name)
    until(lambda: "could not be taken over" in server.log, "the operator is told")
    postgresql.psql("ALTER TABLE gone RENAME TO revisions", database=name)
    key = make_key(tmp_path, "new", env)
    until(lambda: is_valid(server, key), "the state is read again")
    assert server.log.count("could not be taken over") == 1


def test_a_full_home_starts_and_answers(serve: Serve, tmp_path: Path) -> None:
    fill = f"import crowd, pathlib; crowd.fill(pathlib.Path({str(tmp_path)!r}), {CROWD})"
    bench = Path(__file__).parents[2] / "bench"
    subprocess.run([sys.executable, "-c", fill], cwd=bench, check=True)
    server = serve("a=fake:", home=tmp_path, ready=False)
    assert server.chat("a").status == 200
    assert len(server.get("/v1/models").json["data"]) == 1001

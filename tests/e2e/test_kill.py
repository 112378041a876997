"""kill -9 of the server while what is desired changes: nothing is lost, nothing is left."""

import random
import time
from pathlib import Path

import pytest
from killing import Desired, agree_s, still_alive
from serving import Server

from penstock.store.home import open_stores

LIMIT_S = 60.0


@pytest.mark.slow
def test_what_was_acknowledged_runs_after_a_kill(tmp_path: Path) -> None:
    chosen = random.Random(7)
    server = Server(["base=fake:"], home=tmp_path)
    try:
        server.wait_ready()
        stores = open_stores(tmp_path)
        desired = Desired(stores, chosen)
        for _ in range(3):
            for _ in range(chosen.randint(2, 5)):
                desired.change()
                server.remember_children()
                time.sleep(chosen.uniform(0, 0.5))
            server.process.kill()
            server.process.wait()
            assert still_alive(server, LIMIT_S) == []
            assert desired.lost() == []
            server = Server(["base=fake:"], home=tmp_path)
            assert server.base
            assert agree_s(server, desired, LIMIT_S) is not None
        stores.database.close()
    finally:
        server.stop()

"""kill -9 of the server at random moments of deploys, updates and deletes; is anything lost?

    python bench/kill.py --rounds 100

In each round a server is started, what is desired is changed by another process while it runs, and
it is killed. After the next start, what runs must be what was acknowledged, within a bound; no
process of the killed server may live.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from command import Result, command
from killing import Desired, agree_s, still_alive
from options import between, parser_of, whole
from serving import Server

from penstock.store.home import open_stores


def measure(options: argparse.Namespace) -> Result:
    chosen = random.Random(options.seed)
    faults: list[str] = []
    agreed_s: list[float] = []
    changes = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = Server(["base=fake:"], home=home)
        _ = server.base
        desired = Desired(open_stores(home), chosen)
        for number in range(options.rounds):
            stop = threading.Timer(chosen.uniform(0, options.longest), server.process.kill)
            stop.start()
            while server.process.poll() is None:
                server.remember_children()
                desired.change()
                changes += 1
                time.sleep(chosen.uniform(0, 0.4))
            stop.join()
            server.process.wait()
            orphans = still_alive(server, options.limit)
            faults += [f"round {number}: {pid} is an orphan" for pid in orphans]
            faults += [f"round {number}: {fault}" for fault in desired.lost()]
            server = Server(["base=fake:"], home=home)
            _ = server.base
            if (took_s := agree_s(server, desired, options.limit)) is None:
                faults.append(f"round {number}: not as desired within {options.limit:g} s")
            else:
                agreed_s.append(took_s)
            print(f"round {number}: {took_s}, {len(faults)} faults", file=sys.stderr, flush=True)
        server.stop(60)
    agreed_s.sort()
    return {
        "rounds": options.rounds,
        "changes": changes,
        "faults": faults,
        "agreed_s": {
            "p50": round(agreed_s[len(agreed_s) // 2], 2),
            "p95": round(agreed_s[len(agreed_s) * 95 // 100], 2),
            "max": round(agreed_s[-1], 2),
        },
    }


def render(result: Result) -> str:
    return "\n".join(f"{name:16} {value}" for name, value in result.items() if name != "machine")


def main() -> None:
    parser = parser_of("kill", __doc__)
    parser.add_argument("--rounds", type=whole(1, 10_000), default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=between(0.1, 60), default=3.0, help="seconds to the kill")
    parser.add_argument("--limit", type=between(1, 600), default=10.0, help="seconds to agreement")
    result: dict[str, Any] = command(parser.parse_args(), measure, render)
    raise SystemExit(1 if result["faults"] else 0)


if __name__ == "__main__":
    main()

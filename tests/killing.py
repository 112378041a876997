"""A server that is killed while what is desired changes: for a test and for a benchmark."""

import random
import sys
import time
from datetime import UTC, datetime

from serving import Server, is_alive

from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.deployment import DeploymentSpec, new_deployment_id
from penstock.store.home import Stores

NAMES = ("a", "b", "c")
#: What a server of ours says of a deployment, by whether it is stopped.
STATES = {False: "ready", True: "stopped"}
POLL_S = 0.05


class Desired:
    """Changes what is desired, and remembers what was acknowledged."""

    def __init__(self, stores: Stores, chosen: random.Random) -> None:
        self._stores = stores
        self._chosen = chosen
        self.acknowledged: dict[str, DeploymentSpec] = {}

    def change(self) -> None:
        name = self._chosen.choice(NAMES)
        spec = self.acknowledged.get(name)
        deployments = self._stores.deployments
        if spec is None:
            now, owner = datetime.now(UTC), self._stores.keys.operator_id()
            spec = DeploymentSpec(
                id=new_deployment_id(),
                account_id=owner,
                model=name,
                kind="llm",
                source=self._source(),
                created_at=now,
                updated_at=now,
            )
            entry = CatalogueEntry(name=name, created_at=now, account_id=owner)
            deployments.create(spec, entry=entry)
            self.acknowledged[name] = spec
            return
        match self._chosen.choice(["update", "update", "stop", "start", "delete"]):
            case "update":
                spec = deployments.change(
                    spec.id,
                    source=self._source(),
                    version_id=None,
                    fallback_version=spec.version_id,
                )
            case "stop":
                spec = deployments.change(spec.id, stopped=True)
            case "start":
                spec = deployments.change(spec.id, stopped=False)
            case "delete":
                deployments.delete(spec.id)
                del self.acknowledged[name]
                return
        self.acknowledged[name] = spec

    def _source(self) -> str:
        return f"fake:?tokens_per_second={self._chosen.randint(1, 10**6)}"

    def recorded(self) -> set[int | None]:
        """The processes of all replicas, as they are written down."""
        return {
            replica.pid
            for spec in self._stores.deployments.all()
            for _, replica in self._stores.replicas.of(spec.id)
        }

    def lost(self) -> list[str]:
        """What the database does not hold as it was acknowledged."""
        kept = {spec.model: spec for spec in self._stores.deployments.all()}
        kept.pop("base", None)
        faults = [f"{name} is lost" for name in self.acknowledged.keys() - kept.keys()]
        faults += [f"{name} is there though deleted" for name in kept.keys() - self.acknowledged]
        for name, spec in self.acknowledged.items():
            now = kept.get(name)
            if now and (now.source, now.stopped) != (spec.source, spec.stopped):
                faults.append(f"{name} is {now}, and was {spec}")
        return faults


def still_alive(server: Server, limit_s: float) -> list[int]:
    """Processes of a killed server that have not ended within the bound."""
    end_s = time.monotonic() + limit_s
    while (left := [c.pid for c in server.children if is_alive(c)]) and time.monotonic() < end_s:
        time.sleep(POLL_S)
    return left


def agree_s(server: Server, desired: Desired, limit_s: float) -> float | None:
    """Seconds from the server's first answer until it says what is desired, and that is what runs
    and what is written down."""
    wanted = {name: STATES[spec.stopped] for name, spec in desired.acknowledged.items()}
    wanted["base"] = "ready"
    ready = sum(state == "ready" for state in wanted.values())
    began_s = time.monotonic()
    while time.monotonic() - began_s < limit_s:
        states = server.get("/ready").json["models"]
        running = {child.pid for child in server.remember_children()}
        if states == wanted and len(running) == ready and desired.recorded() == running:
            return time.monotonic() - began_s
        time.sleep(POLL_S)
    told = server.get("/ready").json
    print("NOT AGREED", wanted, told, running, desired.recorded(), file=sys.stderr)
    print(server.log[-3000:], file=sys.stderr)
    return None

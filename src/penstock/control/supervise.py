"""Keeps one replica running: start, wait until ready, restart with back-off, stop."""

import asyncio
import contextlib
import logging
from pathlib import Path

import msgspec

from penstock.domain.replica import ReplicaState, ReplicaStatus
from penstock.engines.base import CannotStart
from penstock.fleet.local import LocalFleet, LocalProcess
from penstock.fleet.replica import Replica
from penstock.http.client import Broken, Client

log = logging.getLogger(__name__)

READY_POLL_S = 0.05


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How patient to be with a replica that fails.

    The wait doubles from `first_wait_s` to `longest_wait_s`, and begins anew for one that had been
    ready for `forgiven_after_s`. One that has failed `give_up_after` times without once having been
    ready is not started again: its reason stands.
    """

    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    forgiven_after_s: float = 60.0
    give_up_after: int = 5
    ready_timeout_s: float = 600.0
    stop_grace_s: float = 5.0


def restart_wait_s(policy: RestartPolicy, failures: int) -> float:
    """How long to wait after the n-th failure in a row (n from 1)."""
    return min(policy.longest_wait_s, policy.first_wait_s * 2.0 ** (min(failures, 32) - 1))


class Supervisor:
    """The only writer of one replica's status."""

    def __init__(
        self,
        replica: Replica,
        *,
        name: str,
        fleet: LocalFleet,
        run_dir: Path,
        policy: RestartPolicy,
    ) -> None:
        self._replica = replica
        self._name = name
        self._fleet = fleet
        self._run_dir = run_dir
        self._policy = policy
        self._task: asyncio.Task[None] | None = None
        self._process: LocalProcess | None = None
        self._stopping = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"supervise {self._name}")

    async def stop(self) -> None:
        """Ends the replica and everything it started; nothing is left running."""
        self._stopping = True
        self._publish(ReplicaState.STOPPING)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._end_process()
        self._publish(ReplicaState.STOPPED)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        ever_ready = False
        while True:
            ready_at: float | None = None
            try:
                await self._start()
                ready_at = loop.time()
                ever_ready = True
                if self._process is None:
                    return  # a server of someone else's: there is nothing to watch
                reason = await self._watch(self._process)
            except (CannotStart, OSError) as error:
                self._publish(ReplicaState.FAILED, reason=str(error))
                log.error("%s cannot start: %s", self._name, error)
                return
            except _Failed as failure:
                reason = str(failure)
            await self._end_process()
            if self._stopping:
                return
            if ready_at is not None and loop.time() - ready_at > self._policy.forgiven_after_s:
                failures = 0
            failures += 1
            if failures >= self._policy.give_up_after and not ever_ready:
                log.error("%s failed %d times, giving up: %s", self._name, failures, reason)
                self._publish(ReplicaState.FAILED, reason=reason)
                return
            wait_s = restart_wait_s(self._policy, failures)
            log.warning("%s: %s Starting again in %.1f s.", self._name, reason, wait_s)
            self._publish(ReplicaState.RESTARTING, reason=reason, restarted=True)
            await asyncio.sleep(wait_s)

    async def _start(self) -> None:
        replica = self._replica
        engine = replica.engine
        launch = engine.launch(self._run_dir)
        client = engine.connect(launch)
        if launch is not None:
            if launch.memory_reason:
                log.info("%s: %s", self._name, launch.memory_reason)
            self._process = await self._fleet.start(launch)
        try:
            async with asyncio.timeout(self._policy.ready_timeout_s):
                while not await self._answers(client):  # noqa: ASYNC110 (another process)
                    await asyncio.sleep(READY_POLL_S)
                capabilities = await engine.inspect(client)
        except TimeoutError:
            raise _Failed(
                f"It was not ready after {self._policy.ready_timeout_s:g} s.{self._complaint()}"
            ) from None
        except Broken as broken:
            raise _Failed(f"It broke off while starting: {broken}.{self._complaint()}") from None
        if replica.client is not None:
            await replica.client.aclose()
        replica.publish_ready(client, capabilities, self._process.pid if self._process else None)

    async def _answers(self, client: Client) -> bool:
        if self._process is not None and not self._process.running:
            status = await self._process.wait()
            raise _Failed(f"It ended with status {status} while starting.{self._complaint()}")
        try:
            return await self._replica.engine.is_ready(client)
        except Broken:
            return False

    async def _watch(self, process: LocalProcess) -> str:
        status = await process.wait()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"The engine {how}.{self._complaint()}"

    def _complaint(self) -> str:
        said = self._process.complaint() if self._process is not None else ""
        return f" It said:\n{said}\n" if said else ""

    async def _end_process(self) -> None:
        if self._process is not None:
            await self._process.stop(self._policy.stop_grace_s)
            self._process = None

    def _publish(
        self, state: ReplicaState, *, reason: str | None = None, restarted: bool = False
    ) -> None:
        restarts = self._replica.status.restarts + int(restarted)
        self._replica.publish(ReplicaStatus(state=state, reason=reason, restarts=restarts))


class _Failed(Exception):
    """The replica ended, or did not get ready; another start may help."""

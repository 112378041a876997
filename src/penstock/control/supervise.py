"""Keeps one replica running: start, wait until ready, restart with back-off, stop."""

import asyncio
import contextlib
import logging

import msgspec

from penstock.control.claim import NOTHING, Claim
from penstock.domain.circuit import CLOSED
from penstock.domain.errors import EngineFailed, PenstockError
from penstock.domain.replica import ReplicaState, ReplicaStatus
from penstock.engines.base import CannotStart, Declined
from penstock.engines.trial import trial
from penstock.fleet.base import Fleet, Place, Process, StartFailed
from penstock.fleet.replica import Replica
from penstock.http.client import Broken, Client

log = logging.getLogger(__name__)

READY_POLL_S = 0.05
LOAD_POLL_S = 2.0
#: How long a probe of a replica that runs may take.
PROBE_TIMEOUT_S = 10.0
#: The same where it is to show that it answers calls, for which it may have a queue.
TRIAL_TIMEOUT_S = 60.0
#: How long a replica that has passed its trial is not tried again.
TRUSTED_S = 1.0


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
    """The only writer of one replica's status. `failures` counts them in a row."""

    def __init__(
        self,
        replica: Replica,
        *,
        name: str,
        fleet: Fleet,
        place: Place,
        policy: RestartPolicy,
        process: Process | None = None,
    ) -> None:
        """`process` runs already: it is kept, and another is started only when it ends."""
        self._replica = replica
        self._name = name
        self._fleet = fleet
        self._place = place
        self._policy = policy
        self._task: asyncio.Task[None] | None = None
        self._process = process
        self._beside: list[asyncio.Task[None]] = []
        self._stopping = False
        self.failures = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"supervise {self._name}")

    def drain(self) -> None:
        """From now on it takes no calls, and is not started again should it end."""
        self._stopping = True
        self._let_be()
        if self._process is None and self._task is not None:
            self._task.cancel()
        self._publish(ReplicaState.STOPPING)

    def resume(self) -> None:
        """Undo `drain`."""
        self._stopping = False
        replica = self._replica
        if self._process is None or self._task is None or self._task.done():
            self._publish(ReplicaState.STARTING)
            self.start()
        elif replica.client is not None and replica.capabilities is not None:
            replica.publish_ready(replica.client, replica.capabilities, self._process.pid)
            self._look_after()

    async def stop(self) -> None:
        """Ends the replica and everything it started; nothing is left of it."""
        self.drain()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._end_process()
        if self._replica.client is not None:
            await self._replica.client.aclose()
        await asyncio.to_thread(self._fleet.discard, self._place)
        self._publish(ReplicaState.STOPPED)

    def taken(self) -> Claim:
        """What its process takes now, as far as is known; nothing without one. Blocks."""
        process = self._process
        return NOTHING if process is None else Claim(process.memory_bytes(), process.gpu_bytes())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        ever_ready = False
        while True:
            ready_at: float | None = None
            try:
                await self._start()
                ready_at = loop.time()
                ever_ready = True
                if self._process is None:
                    await self._guard()  # a server of someone else's: all there is to watch
                    return
                self._look_after()
                reason = await self._watch(self._process)
            except (CannotStart, OSError) as error:
                self._publish(ReplicaState.FAILED, reason=str(error))
                log.error("%s cannot start: %s", self._name, error)
                return
            except (_Failed, StartFailed) as failure:
                reason = str(failure)
            await self._end_process()
            if self._stopping:
                return
            if ready_at is not None and loop.time() - ready_at > self._policy.forgiven_after_s:
                self.failures = 0
            self.failures += 1
            if self.failures >= self._policy.give_up_after and not ever_ready:
                log.error("%s failed %d times, giving up: %s", self._name, self.failures, reason)
                self._publish(ReplicaState.FAILED, reason=reason)
                return
            wait_s = restart_wait_s(self._policy, self.failures)
            log.warning("%s: %s Starting again in %.1f s.", self._name, reason, wait_s)
            self._publish(ReplicaState.RESTARTING, reason=reason, restarted=True)
            await asyncio.sleep(wait_s)

    async def _start(self) -> None:
        replica = self._replica
        engine = replica.engine
        launch = engine.launch(self._fleet.directory(self._place))
        client = engine.connect(launch)
        if launch is not None:
            if launch.memory_reason:
                log.info("%s, memory: %s", self._name, launch.memory_reason)
            if self._process is None:
                self._process = await self._fleet.start(launch, self._place)
        else:
            await self._greet(client)
            return
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
        except PenstockError as error:
            raise _Failed(f"It answers with errors: {error.message}{self._complaint()}") from None
        if replica.client is not None:
            await replica.client.aclose()
        replica.publish_ready(client, capabilities, self._process.pid if self._process else None)

    async def _greet(self, client: Client) -> None:
        """Ask a server of someone else's what it is. One that does not answer is probed later."""
        self._replica.client = client
        await self._probe()

    async def _guard(self) -> None:
        """Probes the replica whenever its circuit is doubted or open, until it answers again."""
        replica = self._replica
        loop = asyncio.get_running_loop()
        while True:
            await replica.tripped()
            if replica.circuit.open_until_s is None and await self._probe():
                await asyncio.sleep(TRUSTED_S)
                continue
            log.warning("%s does not answer: %s.", self._name, replica.last_failure)
            self._publish(ReplicaState.UNREACHABLE, reason=f"{replica.last_failure}.")
            while (until_s := replica.circuit.open_until_s) is not None:
                await asyncio.sleep(until_s - loop.time())
                if await self._probe():
                    log.info("%s answers again.", self._name)

    async def _measure(self) -> None:
        """Asks the engine how busy it is, again and again, if it tells."""
        replica = self._replica
        assert replica.client is not None
        while True:
            with contextlib.suppress(Broken, EngineFailed):
                replica.load = await replica.engine.load(replica.client)
                if replica.load is None:
                    return
            await asyncio.sleep(LOAD_POLL_S)

    async def _probe(self) -> bool:
        """Whether the replica answers; if so, it is ready. What it can do may have changed."""
        replica = self._replica
        assert replica.client is not None
        doubtful = replica.circuit.doubtful
        timeout_s = TRIAL_TIMEOUT_S if doubtful else PROBE_TIMEOUT_S
        try:
            async with asyncio.timeout(timeout_s):
                if not await replica.engine.is_ready(replica.client):
                    raise Broken("it is not ready", answered=True)
                capabilities = await replica.engine.inspect(replica.client)
                if doubtful:
                    await trial(replica.engine, replica.client, capabilities.tasks)
        except TimeoutError:
            reason = f"it did not answer a probe within {timeout_s:g} s"
        except (Broken, Declined, EngineFailed) as failure:
            reason = str(failure).rstrip(".")
        else:
            pid = self._process.pid if self._process is not None else None
            replica.publish_ready(replica.client, capabilities, pid)
            return True
        if doubtful and replica.circuit is CLOSED:
            return True  # a client's call was answered in the meantime
        replica.probe_failed(reason)
        return False

    async def _answers(self, client: Client) -> bool:
        if self._process is not None and not self._process.running:
            status = await self._process.wait()
            raise _Failed(f"It ended with status {status} while starting.{self._complaint()}")
        try:
            return await self._replica.engine.is_ready(client)
        except Broken:
            return False

    async def _watch(self, process: Process) -> str:
        status = await process.wait()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"The engine {how}.{self._complaint()}"

    def _complaint(self) -> str:
        if self._process is None or not (lines := self._process.said):
            return ""
        reason = self._replica.engine.explain(lines)
        return f" It said:\n{reason}\n" if "\n" in reason else f" {reason}"

    def _look_after(self) -> None:
        self._beside = [asyncio.create_task(self._guard()), asyncio.create_task(self._measure())]

    def _let_be(self) -> None:
        for task in self._beside:
            task.cancel()
        self._beside = []

    async def _end_process(self) -> None:
        self._let_be()
        self._replica.load = None
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

"""One replica's life, over real processes."""

import asyncio

import psutil
import pytest

from penstock.control.supervise import RestartPolicy, Supervisor
from penstock.domain.errors import EngineFailed, InvalidRequest
from penstock.domain.model import Capabilities
from penstock.domain.replica import ReplicaState
from penstock.engines.fake import Fake
from penstock.fleet.base import Place
from penstock.fleet.local import RECORD, LocalFleet
from penstock.fleet.replica import Replica
from penstock.http.client import Client


class Unwell(Fake):
    """It listens, and cannot tell what it can do."""

    error: Exception

    async def inspect(self, client: Client) -> Capabilities:
        raise self.error


PLACE = Place(deployment_id="d", generation=1, copy_id="c")
#: It never gives up.
PATIENT = RestartPolicy(first_wait_s=0.01, longest_wait_s=0.05, give_up_after=10**6)


async def until(replica: Replica, state: ReplicaState) -> None:
    async with asyncio.timeout(60):
        while replica.status.state is not state:
            await replica.changed()


@pytest.mark.parametrize("error", [EngineFailed("It is unwell."), InvalidRequest("It is unwell.")])
async def test_an_engine_that_answers_with_errors_is_given_up_with_the_reason(
    error: Exception,
) -> None:
    engine = Unwell({}, model="m", slots=1)
    engine.error = error
    replica = Replica(engine)
    policy = RestartPolicy(first_wait_s=0.01, give_up_after=2)
    with LocalFleet() as fleet:
        supervisor = Supervisor(replica, name="m", fleet=fleet, place=PLACE, policy=policy)
        supervisor.start()
        try:
            await until(replica, ReplicaState.FAILED)
            assert replica.status.reason == "It answers with errors: It is unwell."
            assert supervisor.failures == 2
        finally:
            await supervisor.stop()


async def test_its_files_go_when_it_is_stopped() -> None:
    replica = Replica(Fake({}, model="m", slots=1))
    with LocalFleet() as fleet:
        supervisor = Supervisor(replica, name="m", fleet=fleet, place=PLACE, policy=PATIENT)
        supervisor.start()
        await until(replica, ReplicaState.READY)
        directory = fleet.directory(PLACE)
        assert (directory / RECORD).exists()
        await supervisor.stop()
        assert not directory.exists()


async def test_one_that_cannot_be_written_down_ends_and_is_started_again() -> None:
    replica = Replica(Fake({}, model="m", slots=1))
    with LocalFleet() as fleet:
        in_the_way = fleet.directory(PLACE) / RECORD
        in_the_way.mkdir()
        supervisor = Supervisor(replica, name="m", fleet=fleet, place=PLACE, policy=PATIENT)
        supervisor.start()
        try:
            await until(replica, ReplicaState.RESTARTING)
            assert "cannot be written down" in (replica.status.reason or "")
            assert not running_in(str(in_the_way.parent))
            in_the_way.rmdir()
            await until(replica, ReplicaState.READY)
            assert len(running_in(str(in_the_way.parent))) == 1
        finally:
            await supervisor.stop()


def running_in(directory: str) -> list[psutil.Process]:
    """Our children whose files are there."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if any(directory in word for word in child.cmdline())
    ]

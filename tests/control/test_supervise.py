"""One replica's life, over real processes."""

import asyncio

import pytest

from penstock.control.supervise import RestartPolicy, Supervisor
from penstock.domain.errors import EngineFailed, InvalidRequest
from penstock.domain.model import Capabilities
from penstock.domain.replica import ReplicaState
from penstock.engines.fake import Fake
from penstock.fleet.base import Place
from penstock.fleet.local import LocalFleet
from penstock.fleet.replica import Replica
from penstock.http.client import Client


class Unwell(Fake):
    """It listens, and cannot tell what it can do."""

    error: Exception

    async def inspect(self, client: Client) -> Capabilities:
        raise self.error


@pytest.mark.parametrize("error", [EngineFailed("It is unwell."), InvalidRequest("It is unwell.")])
async def test_an_engine_that_answers_with_errors_is_given_up_with_the_reason(
    error: Exception,
) -> None:
    engine = Unwell({}, model="m", slots=1)
    engine.error = error
    replica = Replica(engine)
    place = Place(deployment_id="d", generation=1, copy_id="c")
    policy = RestartPolicy(first_wait_s=0.01, give_up_after=2)
    with LocalFleet() as fleet:
        supervisor = Supervisor(replica, name="m", fleet=fleet, place=place, policy=policy)
        supervisor.start()
        try:
            async with asyncio.timeout(60):
                while replica.status.state is not ReplicaState.FAILED:
                    await replica.changed()
            assert replica.status.reason == "It answers with errors: It is unwell."
            assert supervisor.failures == 2
        finally:
            await supervisor.stop()

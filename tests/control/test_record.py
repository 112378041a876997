"""What is observed is written down, whatever happens to the database meanwhile."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from postgres import Place

from penstock.control.presence import this_server
from penstock.control.record import Recorder
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.replica import ReplicaRecord, ReplicaState
from penstock.store.home import Stores, open_stores

WITHIN_S = 20
NOW = datetime(2026, 11, 28, tzinfo=UTC)
ONE = DeploymentSpec(
    id="one", model="one", kind="llm", source="org/repo", created_at=NOW, updated_at=NOW
)
STARTING = ReplicaRecord(
    id="r1", deployment_id=ONE.id, generation=1, started_at=NOW, state=ReplicaState.STARTING
)
READY = msgspec.structs.replace(STARTING, state=ReplicaState.READY)


@pytest.fixture
def stores(place: Place, tmp_path: Path) -> Iterator[Stores]:
    opened = open_stores(tmp_path, "" if isinstance(place, Path) else place)
    opened.deployments.create(ONE)
    yield opened
    opened.database.close()


async def written(stores: Stores, replica: ReplicaRecord) -> None:
    while [each for _, each in stores.replicas.of(ONE.id)] != [replica]:
        await asyncio.sleep(0.02)


async def test_a_server_that_was_forgotten_writes_its_replicas_again(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    here = this_server()
    async with asyncio.timeout(WITHIN_S), Recorder(stores, context_length=None, server=here) as it:
        it.replicas(ONE.id, [STARTING])
        await written(stores, STARTING)
        stores.servers.leave(here.id)
        it.replicas(ONE.id, [READY])
        await written(stores, READY)
        assert caplog.text.count("could not be written") == 1

"""The state directory: database, pepper, and who may look at them."""

from pathlib import Path

import msgspec

from penstock.store.adapters import AdapterStore
from penstock.store.catalogue import CatalogueStore
from penstock.store.database import Database, open_database
from penstock.store.deployments import DeploymentStore
from penstock.store.digests import DigestStore
from penstock.store.events import EventStore
from penstock.store.keys import BadPepper, KeyStore, read_pepper
from penstock.store.progress import ProgressStore
from penstock.store.replicas import ReplicaStore
from penstock.store.servers import ServerStore
from penstock.store.statistics import StatisticsStore


class CannotOpenHome(Exception):
    """The state directory cannot be made or used; the text is a sentence for a person."""


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """All that is durable, by concept. `pepper` is the secret of the keys' HMACs."""

    database: Database
    pepper: bytes
    keys: KeyStore
    catalogue: CatalogueStore
    adapters: AdapterStore
    deployments: DeploymentStore
    progress: ProgressStore
    replicas: ReplicaStore
    servers: ServerStore
    events: EventStore
    statistics: StatisticsStore
    digests: DigestStore


def open_stores(home: Path, database_url: str = "") -> Stores:
    """What is kept under `home`; the tables in the database at `database_url`, if there is one.

    Raises CannotOpenHome, CannotOpenDatabase, NewerDatabase.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        pepper = read_pepper(home / "pepper")
        database = open_database(database_url or home / "penstock.db")
    except BadPepper as error:
        raise CannotOpenHome(str(error)) from None
    except OSError as error:
        raise CannotOpenHome(
            f"Cannot use the state directory {home}: {error.strerror}. Set PENSTOCK_HOME."
        ) from None
    return Stores(
        database=database,
        pepper=pepper,
        keys=KeyStore(database, pepper),
        catalogue=CatalogueStore(database),
        adapters=AdapterStore(database),
        deployments=DeploymentStore(database),
        progress=ProgressStore(database),
        replicas=ReplicaStore(database),
        servers=ServerStore(database),
        events=EventStore(database),
        statistics=StatisticsStore(database),
        digests=DigestStore(database),
    )

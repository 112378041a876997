"""A state as a large installation has it: thousands of keys, and models that nobody asks for."""

import os
from datetime import UTC, datetime
from pathlib import Path


def fill(home: Path, *, models: int, keys: int, secret: str) -> None:
    """Give a new home so many of an account's models, all scaled to zero, and keys beside `secret`.

    Each model has a version, two aliases, two prices and a deployment.
    """
    from sqlalchemy import insert

    from penstock.store.home import open_stores
    from penstock.store.rows import row_of
    from penstock.store.tables import ALIASES, DEPLOYMENTS, KEYS, MODELS, PRICES, VERSIONS

    stores = open_stores(home)
    key, _ = stores.keys.create("bench", secret)
    now = datetime.now(UTC)
    names = [f"crowd/model-{number:05}" for number in range(models)]
    versions = {name: os.urandom(32).hex() for name in names}
    rows = {
        KEYS: [
            row_of(key, KEYS)
            | {"id": f"key-{number}", "name": f"key-{number}", "digest": os.urandom(32)}
            for number in range(keys)
        ],
        MODELS: [
            {
                "name": name,
                "created_at": now,
                "account_id": key.account_id,
                "private": number % 2 == 0,
                "type": "text-generation",
                "current_version": versions[name],
                "description": "One of many.",
                "licence": "apache-2.0",
                "tags": ["crowd"],
                "family": "Crowd",
                "featured": False,
            }
            for number, name in enumerate(names)
        ],
        VERSIONS: [
            {
                "model": name,
                "id": versions[name],
                "engine": "fake",
                "source": "fake:",
                "settings": {},
                "created_at": now,
            }
            for name in names
        ],
        ALIASES: [
            {"alias": f"{name}-{alias}", "model": name} for name in names for alias in ("a", "b")
        ],
        PRICES: [
            {"model": name, "unit": unit, "usd_nanos": 20_000_000}
            for name in names
            for unit in ("input_token", "output_token")
        ],
        DEPLOYMENTS: [
            {
                "id": f"crowd{number:011}",
                "model": name,
                "kind": "llm",
                "source": "fake:",
                "settings": {},
                "created_at": now,
                "updated_at": now,
                "account_id": key.account_id,
                "version_id": versions[name],
                "generation": 1,
                "min_instances": 0,
                "max_instances": 1,
                "stopped": False,
                "deleted": False,
                "pinned": False,
                "num_gpus": 1,
            }
            for number, name in enumerate(names)
        ],
    }
    with stores.database.writing() as connection:
        for table, filled in rows.items():
            if filled:
                connection.execute(insert(table), filled)
    stores.database.close()

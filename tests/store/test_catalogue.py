"""What the catalogue keeps of models."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from penstock.domain.adapter import Adapter
from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.errors import Conflict, NotFound
from penstock.domain.model import Capabilities
from penstock.domain.price import Price
from penstock.domain.version import Version
from penstock.store.adapters import AdapterStore
from penstock.store.catalogue import CatalogueStore
from penstock.store.database import Database
from penstock.store.keys import KeyStore

NOW = datetime(2026, 11, 28, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def catalogue(database: Database) -> CatalogueStore:
    return CatalogueStore(database)


@pytest.fixture
def account(database: Database) -> str:
    return KeyStore(database, b"p" * 32).create("laptop")[0].account_id


def entry(name: str, **more: object) -> CatalogueEntry:
    return CatalogueEntry(name=name, created_at=NOW, **more)  # type: ignore[arg-type]


def version(model: str, letter: str, *, age_s: int = 0) -> Version:
    return Version(
        id=letter * 64,
        model=model,
        engine="llama_cpp",
        source="./model.gguf",
        created_at=NOW - timedelta(seconds=age_s),
        settings={"context_length": 4096},
    )


def test_a_model_is_read_as_it_was_written(catalogue: CatalogueStore, account: str) -> None:
    whole = entry(
        "me/mine",
        account_id=account,
        private=True,
        type="embeddings",
        aliases=("mine", "my-own"),
        description="Words. Ä",
        licence="apache-2.0",
        tags=("small", "local"),
        family="Tiny",
        featured=True,
        prices=(
            Price(unit="input_token", usd_nanos=20_000_000),
            Price(unit="output_token", usd_nanos=2**60),
        ),
        context_length=8192,
        max_output_tokens=1024,
        quantisation="Q4_K_M",
        deprecated_at=NOW,
    )
    catalogue.add(whole)
    catalogue.add(entry("another"))
    assert catalogue.all() == [entry("another"), whole]
    assert catalogue.get("me/mine") == whole
    assert catalogue.get("mine") is None


@pytest.mark.parametrize(
    "new",
    [
        entry("taken"),
        entry("alias"),
        entry("new", aliases=("taken",)),
        entry("new", aliases=("alias",)),
        entry("new", aliases=("new",)),
        entry("new", aliases=("twice", "twice")),
    ],
)
def test_a_name_means_one_model(catalogue: CatalogueStore, new: CatalogueEntry) -> None:
    catalogue.add(entry("taken", aliases=("alias",)))
    with pytest.raises(Conflict, match="There is a model called"):
        catalogue.add(new)
    assert [known.name for known in catalogue.all()] == ["taken"]


def test_a_model_is_changed_in_what_is_said(catalogue: CatalogueStore) -> None:
    catalogue.add(entry("chat", aliases=("a", "b"), tags=("old",)))
    price = Price(unit="image", usd_nanos=7)
    changed = catalogue.change("chat", aliases=("b", "c"), prices=(price,))
    assert changed == entry("chat", aliases=("b", "c"), tags=("old",), prices=(price,))
    assert catalogue.get("chat") == changed
    with pytest.raises(NotFound, match="'nobody'"):
        catalogue.change("nobody", tags=())


def test_the_newest_release_is_what_the_name_means(catalogue: CatalogueStore) -> None:
    catalogue.add(entry("chat"))
    catalogue.add(entry("same-weights"))
    old, new = version("chat", "a", age_s=60), version("chat", "b")
    catalogue.release(old)
    catalogue.release(new)
    catalogue.release(version("same-weights", "a"))
    assert catalogue.get("chat") == entry("chat", current_version=new.id)
    assert catalogue.versions("chat") == [new, old]
    assert len(catalogue.versions()) == 3


def test_a_version_comes_back_as_it_was(catalogue: CatalogueStore) -> None:
    catalogue.add(entry("chat"))
    old, new = version("chat", "a", age_s=60), version("chat", "b", age_s=30)
    for released in (old, new, version("chat", "a")):
        catalogue.release(released)
    assert catalogue.versions("chat") == [new, old]
    assert catalogue.get("chat") == entry("chat", current_version=old.id)
    with pytest.raises(NotFound):
        catalogue.release(version("nobody", "c"))


def test_what_a_version_can_do_is_kept_with_it(catalogue: CatalogueStore) -> None:
    catalogue.add(entry("chat"))
    catalogue.release(version("chat", "a"))
    can = Capabilities(
        tasks=frozenset(["chat", "completions"]),
        attributes=frozenset(["top_k"]),
        context_length=4096,
        dimensions=(64, 128),
    )
    catalogue.learn("chat", "a" * 64, can)
    catalogue.learn("chat", "b" * 64, can)
    (kept,) = catalogue.versions("chat")
    assert kept == msgspec.structs.replace(version("chat", "a"), capabilities=can)


def test_deprecated_models_name_their_successor(catalogue: CatalogueStore) -> None:
    for name in ("one", "two", "three"):
        catalogue.add(entry(name))
    catalogue.deprecate("one", replaced_by="two", at=NOW)
    catalogue.deprecate("two", replaced_by="three")
    assert catalogue.get("one") == entry("one", deprecated_at=NOW, replaced_by="two")
    with pytest.raises(Conflict, match="by itself"):
        catalogue.deprecate("three", replaced_by="one")
    with pytest.raises(NotFound):
        catalogue.deprecate("three", replaced_by="nobody")
    catalogue.remove("two")
    assert catalogue.get("one") == entry("one", deprecated_at=NOW)


def test_a_removed_model_leaves_nothing(catalogue: CatalogueStore) -> None:
    catalogue.add(entry("chat", aliases=("talk",), prices=(Price(unit="image", usd_nanos=1),)))
    catalogue.release(version("chat", "a"))
    catalogue.remove("chat")
    assert (catalogue.all(), catalogue.versions()) == ([], [])
    catalogue.add(entry("talk"))
    with pytest.raises(NotFound):
        catalogue.remove("chat")


def test_an_adapter_is_a_model_and_holds_its_base(
    catalogue: CatalogueStore, database: Database
) -> None:
    adapters = AdapterStore(database)
    catalogue.add(entry("base"))
    adapter = Adapter(name="tuned", base="base", source="./tuned.gguf", created_at=NOW, rank=8)
    adapters.add(adapter, entry("tuned"))
    assert adapters.all() == adapters.of_base("base") == [adapter]
    with pytest.raises(Conflict, match="base of tuned"):
        catalogue.remove("base")
    with pytest.raises(Conflict):
        adapters.add(adapter, entry("tuned"))
    with pytest.raises(NotFound, match="'nobody'"):
        adapters.add(Adapter(name="x", base="nobody", source="", created_at=NOW), entry("x"))
    catalogue.remove("tuned")
    assert adapters.all() == []
    catalogue.remove("base")


# -- what is declared --------------------------------------------------------------------------


def test_declared_models_keep_what_was_said_of_them(catalogue: CatalogueStore) -> None:
    price = Price(unit="image", usd_nanos=7)
    catalogue.declare([entry("one"), entry("two")], [version("one", "a"), version("two", "b")])
    catalogue.change("one", aliases=("uno",), prices=(price,))
    catalogue.declare([catalogue.declared()["two"]], [version("two", "b")])
    assert [known.name for known in catalogue.all()] == ["two"]
    withdrawn = catalogue.declared()["one"]
    said = entry("one", aliases=("uno",), prices=(price,), current_version="a" * 64)
    assert withdrawn == said
    catalogue.declare([withdrawn], [version("one", "c", age_s=-60)])
    assert catalogue.all() == [msgspec.structs.replace(said, current_version="c" * 64)]
    assert [kept.id for kept in catalogue.versions("one")] == ["c" * 64, "a" * 64]


def test_aliases_move_between_declared_models(catalogue: CatalogueStore) -> None:
    catalogue.declare([entry("one", aliases=("x", "y")), entry("two", aliases=("z",))], [])
    moved = [entry("one", aliases=("z",)), entry("two", aliases=("x", "y"))]
    catalogue.declare(moved, [])
    assert catalogue.all() == moved
    renamed = [entry("new", aliases=("one", "z"))]
    catalogue.declare(renamed, [])
    assert catalogue.all() == renamed
    with pytest.raises(Conflict, match="'one'"):
        catalogue.declare([*renamed, entry("one")], [])
    assert catalogue.all() == renamed
    assert {known.aliases for known in catalogue.declared().values()} == {
        (),
        ("x", "y"),
        ("one", "z"),
    }


def test_accounts_models_are_no_business_of_a_declaration(
    catalogue: CatalogueStore, account: str
) -> None:
    mine = entry("me/mine", account_id=account)
    catalogue.add(mine)
    catalogue.declare([entry("one")], [version("one", "a")])
    with pytest.raises(Conflict, match="me/mine"):
        catalogue.declare([entry("me/mine")], [version("me/mine", "a")])
    assert catalogue.get("one") is not None
    catalogue.declare([], [])
    assert catalogue.all() == [mine]


def test_the_name_of_a_withdrawn_model_may_be_taken(
    catalogue: CatalogueStore, account: str
) -> None:
    catalogue.declare([entry("one", private=False)], [version("one", "a")])
    catalogue.declare([], [])
    catalogue.add(entry("one", account_id=account))
    assert catalogue.versions("one") == []

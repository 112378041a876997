"""Which deployment a model string leads to, for whom, and what its answers say of the name."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from penstock.domain.catalogue import CatalogueEntry
from penstock.domain.deployment import DeploymentSpec
from penstock.domain.errors import ModelNotFound, ModelNotReady
from penstock.domain.key import Principal
from penstock.domain.version import Version, deployment_of_version, fingerprint_of
from penstock.fleet.groups import Groups
from penstock.gateway.resolve import Catalogue, Contents

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
YESTERDAY, TOMORROW = NOW - timedelta(days=1), NOW + timedelta(days=1)
ANN, BOB = (Principal(account_id=name, key_id="1", account=name) for name in ("ann", "bob"))
OLD, NEW = "a" * 12 + "0" * 52, "b" * 64


def entry(name: str, **more: object) -> CatalogueEntry:
    return CatalogueEntry(name=name, created_at=NOW, **more)  # type: ignore[arg-type]


def spec(name: str, version: str | None = None, **more: object) -> DeploymentSpec:
    return DeploymentSpec(
        id=f"id-of-{name}", model=name, kind="llm", source="fake:", created_at=NOW,
        updated_at=NOW, version_id=version, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def version(name: str, id_: str, at: datetime = NOW) -> Version:
    return Version(id=id_, model=name, engine="fake", source="fake:", created_at=at)


CONTENTS = Contents(
    entries=[
        entry("plain", aliases=("nick", "org/nick"), current_version=NEW),
        entry("ann/own", private=True, account_id="ann"),
        entry("leaving", deprecated_at=TOMORROW, replaced_by="plain"),
        entry("left", deprecated_at=YESTERDAY, replaced_by="plain", aliases=("old-nick",)),
        entry("left-twice", deprecated_at=YESTERDAY, replaced_by="left"),
        entry("left-alone", deprecated_at=YESTERDAY),
        entry("left-to-nobody", deprecated_at=YESTERDAY, replaced_by="gone"),
        entry("left-to-ann", deprecated_at=YESTERDAY, replaced_by="ann/own"),
        entry("circle", deprecated_at=YESTERDAY, replaced_by="round"),
        entry("round", deprecated_at=YESTERDAY, replaced_by="circle"),
        entry("starting"),
        entry("unserved"),
    ],
    versions=[version("plain", NEW), version("plain", OLD, YESTERDAY), version("left", OLD)],
    specs=[
        spec("plain", NEW),
        spec("ann/own", account_id="ann"),
        *map(spec, ("leaving", "left", "left-alone", "left-to-nobody", "circle", "round")),
        spec("starting"),
        spec("unserved", deleted=True),
        spec("not-in-the-catalogue"),
    ],
)


@pytest.fixture
async def catalogue(anyio_backend: str) -> Catalogue:
    made = Catalogue(Groups(), queue_limit=1)
    made.replace(CONTENTS)
    return made


@pytest.mark.parametrize(
    ("asked", "answers", "group"),
    [
        ("plain", "plain", "id-of-plain"),
        ("nick", "nick", "id-of-plain"),
        ("org/nick", "org/nick", "id-of-plain"),
        ("ann/own", "ann/own", "id-of-ann/own"),
        ("deploy_id:id-of-plain", "plain", "id-of-plain"),
        ("deploy_id:id-of-starting", "starting", "id-of-starting"),
        ("starting", "starting", "id-of-starting"),
        (f"plain:{NEW}", f"plain:{NEW}", "id-of-plain"),
        (f"nick:{NEW}", f"plain:{NEW}", "id-of-plain"),
        (f"plain:{OLD}", f"plain:{OLD}", deployment_of_version(OLD)),
        (f"plain:{OLD[:12]}", f"plain:{OLD}", deployment_of_version(OLD)),
        ("leaving", "leaving", "id-of-leaving"),
        ("left", "plain", "id-of-plain"),
        ("old-nick", "plain", "id-of-plain"),
        ("left-twice", "plain", "id-of-plain"),
        ("left-alone", "left-alone", "id-of-left-alone"),
        ("left-to-nobody", "left-to-nobody", "id-of-left-to-nobody"),
        ("left-to-ann", "ann/own", "id-of-ann/own"),
        ("circle", "circle", "id-of-circle"),
        (f"left:{OLD}", f"left:{OLD}", deployment_of_version(OLD)),
    ],
)
async def test_a_name_leads_to_a_deployment(
    catalogue: Catalogue, asked: str, answers: str, group: str
) -> None:
    found = catalogue.resolve(asked, ANN)
    assert found.model.name == answers
    assert found.group is catalogue._groups.get(group)


@pytest.mark.parametrize(
    "asked",
    [
        "nobody", "", "plain:", f"plain:{OLD[:11]}", "plain:" + "c" * 64, f"leaving:{NEW}",
        "deploy_id:", "deploy_id:id-of-unserved", "deploy_id:nobody", "unserved",
        "not-in-the-catalogue", f"deploy_id:{deployment_of_version(OLD)}", "PLAIN", "plain ",
        "../plain", "plain\x00", "x" * 10_000,
    ],
)  # fmt: skip
async def test_what_nobody_knows_is_not_found(catalogue: Catalogue, asked: str) -> None:
    catalogue.resolve(f"plain:{OLD}", ANN)
    with pytest.raises(ModelNotFound) as raised:
        catalogue.resolve(asked, ANN)
    assert raised.value.param == "model"
    assert len(raised.value.message) < 1000
    assert "plain" in raised.value.message


@pytest.mark.parametrize("asked", ["ann/own", "deploy_id:id-of-ann/own", "left-to-ann"])
async def test_a_private_model_is_there_for_its_account_only(
    catalogue: Catalogue, asked: str
) -> None:
    with pytest.raises(ModelNotFound) as raised:
        catalogue.resolve(asked, BOB)
    nobody = str(raised.value).replace(repr(asked), "")
    assert "ann/own" not in nobody
    assert catalogue.resolve(asked, ANN)
    assert "ann/own" not in {e.name for e in catalogue.entries(BOB)}
    assert "ann/own" in {e.name for e in catalogue.entries(ANN)}


@pytest.mark.parametrize(
    ("asked", "at", "heir"),
    [
        ("leaving", TOMORROW, b"plain"),
        ("left", YESTERDAY, b"plain"),
        ("left-alone", YESTERDAY, None),
        (f"left:{OLD}", YESTERDAY, b"plain"),
    ],
)
async def test_a_deprecated_name_is_told_of(
    catalogue: Catalogue, asked: str, at: datetime, heir: bytes | None
) -> None:
    notice = catalogue.resolve(asked, ANN).notice
    lines = notice.split(b"\r\n")
    assert lines[0] == b"deprecation: @%d" % int(at.timestamp())
    assert (heir is not None) == (len(lines) == 3)
    if heir:
        assert lines[1] == b'link: </models/%b>; rel="successor-version"' % heir
    assert catalogue.resolve("plain", ANN).notice == b""


async def test_answers_say_which_version_answered(catalogue: Catalogue) -> None:
    asked = {
        "plain": NEW, "nick": NEW, f"plain:{NEW}": NEW, f"plain:{OLD}": OLD, "left": NEW,
        f"left:{OLD}": OLD,
    }  # fmt: skip
    told = {name: catalogue.resolve(name, ANN).model.fingerprint for name in asked}
    assert told == {name: fingerprint_of(id_) for name, id_ in asked.items()}
    assert catalogue.resolve("starting", ANN).model.fingerprint is None


async def test_those_who_wait_keep_their_lane_when_the_catalogue_changes(
    catalogue: Catalogue,
) -> None:
    lanes = {name: catalogue.resolve(name, ANN).lane for name in ("plain", f"plain:{OLD}")}
    assert lanes["plain"] is catalogue.resolve("nick", ANN).lane
    assert lanes["plain"] is not lanes[f"plain:{OLD}"]
    catalogue.replace(CONTENTS)
    assert {name: catalogue.resolve(name, ANN).lane for name in lanes} == lanes
    catalogue.replace(Contents())
    assert list(catalogue) == []
    with pytest.raises(ModelNotFound):
        catalogue.resolve("plain", ANN)


async def test_the_version_that_is_current_now_is_served_by_the_deployment(
    catalogue: Catalogue,
) -> None:
    """A change has made OLD the current one again."""
    specs = [spec("plain", OLD)]
    catalogue.replace(Contents(entries=CONTENTS.entries, versions=CONTENTS.versions, specs=specs))
    assert catalogue.resolve("plain", ANN).model.fingerprint == fingerprint_of(OLD)
    assert catalogue.resolve(f"plain:{OLD}", ANN).group is catalogue._groups.get("id-of-plain")


async def test_answers_tell_the_version_that_runs_from_the_moment_it_takes_over(
    catalogue: Catalogue,
) -> None:
    """`NEW` is wanted; the other one still runs, or runs again since the change was undone."""
    group = catalogue.resolve("plain", ANN).group
    group.publish(group.progress, (), OLD)
    for name in ("plain", "nick", f"plain:{OLD}", "deploy_id:id-of-plain"):
        found = catalogue.resolve(name, ANN)
        assert (found.group, found.model.fingerprint) == (group, fingerprint_of(OLD))
    with pytest.raises(ModelNotReady, match="has not been completed, or was undone"):
        catalogue.resolve(f"plain:{NEW}", ANN)
    group.publish(group.progress, (), NEW)
    assert catalogue.resolve("nick", ANN).model.fingerprint == fingerprint_of(NEW)
    assert catalogue.resolve(f"plain:{NEW}", ANN).group is group
    assert catalogue.resolve(f"plain:{OLD}", ANN).group is not group


async def test_a_version_that_the_catalogue_does_not_know_yet_is_told_too(
    catalogue: Catalogue,
) -> None:
    group = catalogue.resolve("plain", ANN).group
    group.publish(group.progress, (), "c" * 64)
    assert catalogue.resolve("plain", ANN).model.fingerprint == fingerprint_of("c" * 64)


@pytest.mark.parametrize("first", ["plain", "ann/own"])
async def test_a_version_of_several_models_is_counted_for_the_one_that_was_asked(
    catalogue: Catalogue, first: str
) -> None:
    versions = [*CONTENTS.versions, version("ann/own", OLD, YESTERDAY)]
    catalogue.replace(msgspec.structs.replace(CONTENTS, versions=versions))
    catalogue.resolve(f"{first}:{OLD}", ANN)
    own = catalogue.resolve(f"ann/own:{OLD}", ANN)
    plain = catalogue.resolve(f"plain:{OLD}", BOB)
    assert (own.counted_as, own.only_for) == ("ann/own", "ann")
    assert (plain.counted_as, plain.only_for) == ("plain", None)
    assert own.lane is plain.lane
    with pytest.raises(ModelNotFound):
        catalogue.resolve(f"ann/own:{OLD}", BOB)
    assert "ann/own" not in {each.counted_as for each in catalogue if each.only_for is None}

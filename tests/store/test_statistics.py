"""What models did in past hours, by several servers, on real databases."""

from penstock.domain.statistics import HOUR_S, Figures, Histogram
from penstock.store.database import Database
from penstock.store.statistics import KEPT_S, StatisticsStore

NONE = Histogram([0, 0], 0.0)


def did(model: str, at_s: float, requests: int, operation: str = "chat") -> Figures:
    return Figures(
        model=model,
        operation=operation,
        at_s=at_s,
        outcomes={"ok": requests},
        input_tokens=10 * requests,
        duration=Histogram([requests, 1], 0.5),
        first_token=NONE,
        pace=NONE,
    )


def test_each_server_has_a_count_of_each_hour(database: Database) -> None:
    store = StatisticsStore(database)
    noon = 12 * HOUR_S
    store.put("one", [did("m", noon + 60, 1), did("other", noon + 60, 9)])
    store.put("one", [did("m", noon + 120, 3), did("m", noon + 120, 2, "embeddings")])
    store.put("one", [did("m", noon + HOUR_S, 4)])
    store.put("two", [did("m", noon + 90, 5)])
    store.put("three", [])

    def told(since_s: float, until_s: float, but: str = "three") -> list[Figures]:
        found = store.between("m", since_s, until_s, but=but)
        return sorted(found, key=lambda each: (each.at_s, each.operation))

    hour = [did("m", noon + 90, 5), did("m", noon + 120, 3), did("m", noon + 120, 2, "embeddings")]
    assert told(0, noon + 200) == hour
    assert told(0, 2 * noon) == [*hour, did("m", noon + HOUR_S, 4)]
    assert told(noon + 120, 2 * noon) == [did("m", noon + HOUR_S, 4)]
    assert told(0, 2 * noon, but="one") == [did("m", noon + 90, 5)]


def test_what_is_older_than_a_month_goes(database: Database) -> None:
    store = StatisticsStore(database)
    store.put("one", [did("m", 60, 1)])
    store.put("two", [did("other", 60 + KEPT_S + HOUR_S, 1)])
    assert store.between("m", 0, 1e12, but="") == []
    assert len(store.between("other", 0, 1e12, but="")) == 1

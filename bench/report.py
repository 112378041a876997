"""Rows to figures: medians over the rounds, ratios formed only inside a round, and their tables.

Other users of a machine slow every target of one round alike, so a ratio inside a round says more
than two absolute figures. Every figure is shown with its minimum and maximum.
"""

import os
import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from load import SCENARIOS, Row

BASE = "nginx"

Figures = dict[str, Any]  # name of the figure -> Spread, or the count of errors, or None
Summary = dict[str, dict[str, Figures]]  # scenario -> target -> figures


@dataclass(frozen=True)
class Spread:
    """The median of some runs and how far apart they were."""

    median: float
    minimum: float
    maximum: float
    runs: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread | None":
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(statistics.median(known), min(known), max(known), len(known))

    def show(self, digits: int = 1, scale: float = 1) -> str:
        low, middle, high = (
            f"{value * scale:.{digits}f}" for value in (self.minimum, self.median, self.maximum)
        )
        return f"{middle} ({low}-{high})"


def cpu_field(scenario: str) -> str:
    return "cpu_us_per_token" if SCENARIOS[scenario].stream else "cpu_us_per_request"


def summarise(rows: Sequence[Row]) -> Summary:
    """scenario -> target -> figure."""
    pairs = dict.fromkeys((row["scenario"], row["target"]) for row in rows)
    summary: Summary = {}
    for scenario, target in pairs:
        summary.setdefault(scenario, {})[target] = _figures(rows, scenario, target)
    return summary


def _figures(rows: Sequence[Row], scenario: str, target: str) -> Figures:
    mine = [row for row in rows if (row["scenario"], row["target"]) == (scenario, target)]
    cpu = cpu_field(scenario)
    rate = "tokens_per_s" if SCENARIOS[scenario].stream else "requests_per_s"
    return {
        "cpu_us": Spread.of(row.get(cpu) for row in mine),
        "cpu_ratio": Spread.of(_ratios(rows, scenario, target, cpu)),
        "rate": Spread.of(row.get(rate) for row in mine),
        "latency_p50_us": Spread.of(row.get("latency_us", {}).get("p50") for row in mine),
        "latency_p99_us": Spread.of(row.get("latency_us", {}).get("p99") for row in mine),
        "ttft_p50_us": Spread.of(row.get("ttft_us", {}).get("p50") for row in mine),
        "ttft_p99_us": Spread.of(row.get("ttft_us", {}).get("p99") for row in mine),
        "relay_p50_us": Spread.of(row.get("relay_us", {}).get("p50") for row in mine),
        "relay_p99_us": Spread.of(row.get("relay_us", {}).get("p99") for row in mine),
        "memory_mb": Spread.of(row.get("memory_mb") for row in mine),
        "longest_wait_ms": Spread.of(row.get("longest_wait_ms") for row in mine),
        "errors": sum(row["errors"] for row in mine),
    }


def _ratios(rows: Sequence[Row], scenario: str, target: str, field: str) -> list[float]:
    cpu: dict[tuple[int, str], float] = {
        (row["round"], row["target"]): row[field]
        for row in rows
        if row["scenario"] == scenario and row.get(field)
    }
    return [
        value / cpu[number, BASE]
        for (number, name), value in cpu.items()
        if name == target and (number, BASE) in cpu
    ]


@dataclass(frozen=True)
class Column:
    """A title, the figures that the cell is made of, and how they are written."""

    title: str
    fields: tuple[str, ...]
    show: Callable[[Spread], str]


def _columns(streaming: bool) -> list[Column]:
    unit, rate = ("event", "events/s") if streaming else ("request", "requests/s")
    delays = ("ttft", "relay") if streaming else ("latency",)
    return [
        Column(f"CPU us/{unit}", ("cpu_us",), lambda s: s.show(2)),
        Column(f"x {BASE}", ("cpu_ratio",), lambda s: s.show(2)),
        Column(rate, ("rate",), lambda s: f"{s.median:.0f}"),
        *(
            Column(
                f"{kind} ms p50 / p99",
                (f"{kind}_p50_us", f"{kind}_p99_us"),
                lambda s: f"{s.median / 1e3:.2f}",
            )
            for kind in delays
        ),
        Column("memory MB", ("memory_mb",), lambda s: f"{s.maximum:.0f}"),
        Column("starved ms", ("longest_wait_ms",), lambda s: f"{s.maximum:.0f}"),
    ]


def render(summary: Summary) -> str:
    return "\n\n".join(_scenario_table(name, targets) for name, targets in summary.items())


def _scenario_table(scenario: str, targets: dict[str, Figures]) -> str:
    columns = _columns(SCENARIOS[scenario].stream)
    rows = [["target", *(column.title for column in columns), "errors"]]
    for target, figures in targets.items():
        cells = [_cell(figures, column) for column in columns]
        rows.append([target, *cells, str(figures["errors"])])
    return f"{scenario}: {SCENARIOS[scenario].title}\n\n{table(rows)}"


def _cell(figures: Figures, column: Column) -> str:
    values = (figures[field] for field in column.fields)
    return " / ".join(column.show(v) if isinstance(v, Spread) else "-" for v in values)


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that is readable as it stands; the first row is the head."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    head, *body = rows
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(head), rule, *map(line, body)])


def plain(value: Any) -> Any:
    """The same value in types that JSON knows."""
    if isinstance(value, Spread):
        return asdict(value)
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value


def machine() -> dict[str, Any]:
    """What a reader must know to judge the figures."""
    with open("/proc/cpuinfo") as cpuinfo:
        models = [
            line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name")
        ]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
    }


def machine_line() -> str:
    facts = machine()
    return (
        f"{facts['cores']} cores {facts['cpu']}, Linux {facts['kernel']}, "
        f"Python {facts['python']}, load average {facts['load_average']:.1f}"
    )

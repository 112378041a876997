"""The parameters of an address -> values, or an error that names the parameter."""

import re
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs

from penstock.domain.errors import InvalidRequest
from penstock.gateway.history import Span
from penstock.http.message import Request

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "M": 30 * 86_400}
#: The end of the year 9999, after which no date can be written.
LAST_MOMENT_S = 253_402_300_799
_MOMENT = re.compile(
    r"now(?:-(?P<count>[0-9]{1,6})(?P<unit>[smhdwM]))?|(?P<unix>[0-9]{1,12}(?:\.[0-9]{1,9})?)"
)


def parameter(http: Request, name: str) -> str:
    """The first of that name; "" where there is none."""
    return parse_qs(http.query).get(name, [""])[0]


def moment_s(text: str, param: str, now_s: float) -> float:
    """`now`, `now-5h` (s, m, h, d, w, M), or unix seconds. Raises InvalidRequest."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise InvalidRequest(
            f"'{param}' must be unix seconds, now, or a time before now such as now-5h "
            "(s, m, h, d, w, M).",
            param=param,
        )
    if found["unix"] is not None:
        return min(float(found["unix"]), LAST_MOMENT_S)
    return max(0.0, now_s - int(found["count"] or 0) * SECONDS[found["unit"] or "s"])


def span(http: Request) -> Span:
    """`from`, which is required, and `to`. Raises InvalidRequest."""
    now_s = time.time()
    since_s = moment_s(parameter(http, "from"), "from", now_s)
    return Span(since_s, moment_s(parameter(http, "to") or "now", "to", now_s), now_s)


def moment(http: Request, name: str) -> datetime | None:
    """None where nothing is given. Raises InvalidRequest."""
    text = parameter(http, name)
    return datetime.fromtimestamp(moment_s(text, name, time.time()), UTC) if text else None


def count(http: Request, name: str, *, default: int, most: int) -> int:
    """A whole number from 1 on. Raises InvalidRequest."""
    text = parameter(http, name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
        raise InvalidRequest(f"'{name}' must be a whole number from 1 to {most}.", param=name)
    return int(text)

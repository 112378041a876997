"""How many replicas a deployment is to have, between its bounds, by the calls that it gets.

    busy    its replicas have more calls than they take at once: one more, when all are ready
    quiet   fewer would have been enough for the whole of the last minutes: no more than these

What counts is a mean over the last seconds, so that one burst starts nothing. The highest mean of
the last minutes must leave places free in fewer replicas, so that going down is not followed by
going up again (as Kubernetes' stabilisation window and Knative's target utilisation have it).
"""

import math

import msgspec

from penstock.domain.deployment import Scale

#: The mean follows a lasting change of the number of calls by 63 % in so long.
MEAN_OVER_S = 3.0
#: Of the places of fewer replicas, what the highest mean may take.
SHARE_OF_FEWER = 0.7
#: The highest means are kept for each of so many parts of the minutes that count.
PARTS = 10


class Peak(msgspec.Struct, frozen=True):
    """The highest mean of a part of the past that begins at `since_s`."""

    since_s: float
    mean: float


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of a deployment, at work or waiting: `calls` at `at_s`, and what was before."""

    at_s: float
    calls: int = 0
    mean: float = 0.0
    peaks: tuple[Peak, ...] = ()

    @property
    def highest(self) -> float:
        """The highest mean of the minutes that count."""
        return max((peak.mean for peak in self.peaks), default=self.mean)


def follow(before: Traffic, calls: int, now_s: float, *, over_s: float) -> Traffic:
    """The same a while later, as there are so many `calls` now. `over_s` is what counts."""
    kept = math.exp(-(now_s - before.at_s) / MEAN_OVER_S)
    mean = before.calls + (before.mean - before.calls) * kept
    part_s = over_s / PARTS
    peaks = tuple(peak for peak in before.peaks if now_s - peak.since_s < over_s + part_s)
    if peaks and now_s - peaks[-1].since_s < part_s:
        *earlier, last = peaks
        peaks = (*earlier, Peak(last.since_s, max(last.mean, mean)))
    else:
        peaks = (*peaks, Peak(now_s, mean))
    return Traffic(at_s=now_s, calls=calls, mean=mean, peaks=peaks)


def replicas_for(traffic: Traffic, scale: Scale, *, wanted: int, ready: int, takes: float) -> int:
    """How many are wanted from now on, where `wanted` were until now and so many are ready.

    `takes` is how many calls one of them takes at once.
    """
    if ready == wanted and traffic.mean > wanted * takes:
        return scale.within(wanted + 1)
    enough = math.ceil(traffic.highest / (takes * SHARE_OF_FEWER))
    return scale.within(min(wanted, enough))

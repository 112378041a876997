"""Whether a failed call gets another try, and after how long.

Asked only while nothing has been said to the client. Waits grow and are spread by chance, so that
the callers of a server that comes back do not all come back at once (AWS Builders' Library,
"Timeouts, retries, and backoff with jitter").
"""

import msgspec

from penstock.engines.base import Declined
from penstock.http.client import Broken


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`patience_s` is the longest Retry-After that is waited out; more is the client's to wait.

    A call that broke its engine may be why it broke: `tries_broken` are fewer.
    """

    tries: int = 3
    tries_broken: int = 2
    first_wait_s: float = 1.0
    patience_s: float = 8.0


POLICY = RetryPolicy()


def retry_wait_s(
    failure: Broken | Declined, tries: int, *, jitter: float, policy: RetryPolicy = POLICY
) -> float | None:
    """Seconds until the next try after `tries` of them; None: there is none.

    `jitter` is from 0 to 1 and makes the wait up to half as long again.
    """
    if isinstance(failure, Broken):
        most, asked_s = policy.tries_broken, 0.0
    else:
        most, asked_s = policy.tries if failure.passing else 1, failure.retry_after_s or 0.0
    if tries >= most:
        return None
    if asked_s > policy.patience_s:
        return None
    return max(asked_s, policy.first_wait_s * 2.0 ** (tries - 1)) * (1 + jitter / 2)

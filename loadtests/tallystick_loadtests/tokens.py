"""What a rate of settled requests would be in tokens a day.

A voucher or a hold settles one request; how many tokens that is, is not for the ledger to know. To
compare a rate with what is used in the world, each request is taken for a mean one of the public
trace that tallystick_cluster ships (its NOTICE.md names it): tokens in and out.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import Final

from tallystick_cluster.data import TRACE_ROWS, load_usage

# A national figure, 140 trillion tokens a day: the size that a ledger for all has to settle.
NATIONAL_TOKENS_PER_DAY: Final = 140e12
SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Tokens:
    """A rate of requests, as tokens.

    Attributes:
        requests_per_s: Requests settled, by second.
        tokens_per_request: The trace's mean.
        tokens_per_day: What this rate settles in a day.
        ratio: That, by `NATIONAL_TOKENS_PER_DAY`.
    """

    requests_per_s: float
    tokens_per_request: float
    tokens_per_day: float
    ratio: float


def mean_request_tokens() -> float:
    """Tokens in and out of a mean request of the trace."""
    return fmean(usage.tokens for usage in load_usage(TRACE_ROWS))


def tokens_of(requests_per_s: float) -> Tokens:
    """What a rate would be if each request were a mean one of the trace."""
    mean = mean_request_tokens()
    per_day = requests_per_s * mean * SECONDS_PER_DAY
    return Tokens(
        requests_per_s=round(requests_per_s, 1),
        tokens_per_request=round(mean, 1),
        tokens_per_day=round(per_day),
        ratio=round(per_day / NATIONAL_TOKENS_PER_DAY, 4),
    )

"""How much a hold pins when nobody knows yet what the request will come to.

    past = PastCaptures()
    async with client.reserve(
        mine, theirs, worst, sizing=RollingP95(past, label="m-small"), payee=provider
    ) as hold:
        async for chunk in answer:
            used += chunk.cost
            await hold.observe(used)      # pins more before it is needed

Pinning the worst case (a request's largest possible price) never has to be extended, and keeps from
other requests what this one will not use. Pinning what 95 of 100 such requests came to, and a slice
more whenever that runs short, keeps nearly everything in use; neither ever pays more than is
pinned. A strategy only answers numbers: it knows no clock, no chance and no ledger, so the same
past always gives the same holds.
"""

from bisect import bisect_left, insort
from collections import OrderedDict, deque
from typing import Final, Protocol

from tallystick.errors import InvalidArgument
from tallystick_ledger.ids import AccountId

# What a process remembers of one label: enough for a 95th percentile that is worth its name.
DEFAULT_WINDOW: Final = 1_000
# Labels (a payee's models, say) remembered at once; the one not asked for longest goes first.
MAX_LABELS: Final = 4_096
# With fewer past captures than this a percentile says nothing yet: the worst case is pinned.
DEFAULT_SAMPLES: Final = 20
DEFAULT_SLICE_PARTS: Final = 8
_PERCENT: Final = 100


class Sizing(Protocol):
    """A strategy. Amounts are ints in the unit's smallest step."""

    def first(self, payee: AccountId, ceiling: int) -> int:
        """What to pin at first, 1 to `ceiling`: the worst case of this request."""

    def smaller(self, refused: int) -> int:
        """What to try after the payer did not have `refused`; 0 to give up."""

    def more(self, observed: int, pinned: int, ceiling: int) -> int:
        """What to add now, before `observed` exceeds what is pinned; 0 for nothing."""

    def learn(self, payee: AccountId, amount: int) -> None:
        """Hears what a request came to that was served to its end."""


class PastCaptures:
    """What requests came to, by payee and label: the last ones of each, in this process.

    A program that starts anew may fill it from its own records (`add`); nothing else is looked at.
    """

    def __init__(self, window: int = DEFAULT_WINDOW) -> None:
        """Starts empty.

        Args:
            window: How many to remember of each payee and label.

        Raises:
            InvalidArgument: Not even one.
        """
        if window < 1:
            raise InvalidArgument("A window of the past has at least one capture.")
        self._window = window
        self._past: OrderedDict[tuple[AccountId, str], _Past] = OrderedDict()

    def add(self, payee: AccountId, label: str, amount: int) -> None:
        """Remembers one capture, and forgets the oldest beyond the window."""
        past = self._past.setdefault((payee, label), _Past())
        self._past.move_to_end((payee, label))
        past.add(amount, self._window)
        if len(self._past) > MAX_LABELS:
            self._past.popitem(last=False)

    def count(self, payee: AccountId, label: str) -> int:
        """How many are remembered."""
        past = self._past.get((payee, label))
        return 0 if past is None else len(past.ordered)

    def percentile(self, payee: AccountId, label: str, percent: int) -> int:
        """The smallest remembered amount that `percent` of 100 captures did not exceed.

        Raises:
            LookupError: Nothing is remembered.
        """
        past = self._past.get((payee, label))
        if past is None:
            raise LookupError(f"no past captures of {label!r}")
        rank = -(-percent * len(past.ordered) // _PERCENT)  # nearest rank, rounded up
        return past.ordered[max(rank, 1) - 1]


class _Past:
    """The last amounts, by age and by size."""

    __slots__ = ("by_age", "ordered")

    def __init__(self) -> None:
        self.by_age: deque[int] = deque()
        self.ordered: list[int] = []

    def add(self, amount: int, window: int) -> None:
        if len(self.by_age) == window:
            del self.ordered[bisect_left(self.ordered, self.by_age.popleft())]
        self.by_age.append(amount)
        insort(self.ordered, amount)


class WorstCase:
    """Pins the most that the request can come to. Never extended, never made smaller."""

    def first(self, payee: AccountId, ceiling: int) -> int:
        """See `Sizing.first`."""
        del payee
        return ceiling

    def smaller(self, refused: int) -> int:
        """See `Sizing.smaller`."""
        del refused
        return 0

    def more(self, observed: int, pinned: int, ceiling: int) -> int:
        """See `Sizing.more`."""
        del observed, pinned, ceiling
        return 0

    def learn(self, payee: AccountId, amount: int) -> None:
        """See `Sizing.learn`."""


class RollingP95:
    """Pins what 95 of 100 past requests to this payee under this label did not exceed.

    While there are too few of them it pins the worst case. When the payer has less than that, it
    tries half, and half again, down to one slice.
    """

    def __init__(
        self,
        past: PastCaptures,
        label: str = "",
        *,
        slice_size: int | None = None,
        ahead: int | None = None,
        percent: int = 95,
        min_samples: int = DEFAULT_SAMPLES,
    ) -> None:
        """Makes a strategy; one may serve any number of holds.

        Args:
            past: What it looks at, and adds to; shared by all that should learn together.
            label: What kind of request it is, such as the model's name.
            slice_size: What a hold grows by; None for an eighth of the worst case.
            ahead: Grow as soon as less than this is left; None for a quarter of a slice. What one
                `observe` adds should be less, or the stream may have to be cut.
            percent: Of past requests that need no extension, 1 to 100.
            min_samples: With fewer past requests the worst case is pinned.

        Raises:
            InvalidArgument: An argument out of its range.
        """
        if not 1 <= percent <= _PERCENT:
            raise InvalidArgument("A percentile is 1 to 100.")
        if (slice_size is not None and slice_size < 1) or (ahead is not None and ahead < 0):
            raise InvalidArgument("A slice is at least 1, what is kept ahead at least 0.")
        self._past = past
        self._label = label
        self._slice_size = slice_size
        self._ahead = ahead
        self._percent = percent
        self._min_samples = max(1, min_samples)

    def first(self, payee: AccountId, ceiling: int) -> int:
        """See `Sizing.first`."""
        if self._past.count(payee, self._label) < self._min_samples:
            return ceiling
        usual = self._past.percentile(payee, self._label, self._percent)
        return min(ceiling, max(1, usual))

    def smaller(self, refused: int) -> int:
        """See `Sizing.smaller`."""
        least = self._slice_size or 1
        return max(least, refused // 2) if refused > least else 0

    def more(self, observed: int, pinned: int, ceiling: int) -> int:
        """See `Sizing.more`."""
        size = self._slice_size or max(1, ceiling // DEFAULT_SLICE_PARTS)
        ahead = size // 4 if self._ahead is None else self._ahead
        missing = min(observed + ahead, ceiling) - pinned
        if missing <= 0:
            return 0
        return min(-(-missing // size) * size, ceiling - pinned)

    def learn(self, payee: AccountId, amount: int) -> None:
        """See `Sizing.learn`."""
        self._past.add(payee, self._label, amount)

"""docs/semantics.md section 4, checked on the specification's state from the rows alone."""

from collections import Counter
from dataclasses import dataclass, field

from tallystick_ledger.ids import NO_ID, HoldId, grant_account
from tallystick_ledger.limits import MAX_AMOUNT
from tallystick_ledger.netting import Position, net_positions
from tallystick_ledger.records import LimitWindow, Scope
from tallystick_ledger.spec import State, debts
from tallystick_ledger.state_rows import (
    AccountFlags,
    ChannelRow,
    HoldStatus,
    KeyStatus,
    WindowStatus,
)


class InvariantBrokenError(AssertionError):
    """The rules allowed what they must never allow."""


@dataclass(slots=True)
class Invariants:
    """Checks a state after each block; remembers how holds and channels ended."""

    _ends: dict[bytes, tuple[HoldStatus, int, int]] = field(default_factory=dict)
    _closed: dict[bytes, ChannelRow] = field(default_factory=dict)

    def check(self, state: State) -> None:
        self._check_accounts(state)
        self._check_holds(state)
        self._check_channels(state)
        self._check_corrections(state)
        self._check_mandates(state)
        self._check_claims(state)
        self._check_recoveries(state)
        self._check_pending(state)
        self._check_grants(state)
        self._check_limits(state)
        self._check_netting(state)

    def _check_accounts(self, state: State) -> None:
        sums: Counter[tuple[bytes, str]] = Counter()
        for row in state.accounts:
            columns = {
                "debits_pending": row.debits_pending,
                "debits_posted": row.debits_posted,
                "credits_pending": row.credits_pending,
                "credits_posted": row.credits_posted,
            }
            for column, amount in columns.items():
                _require(0 <= amount <= MAX_AMOUNT, f"{column} of {row.account.hex()} is {amount}")
                sums[row.unit, column] += amount
            if not row.flags & AccountFlags.ISSUANCE:
                _require(row.available >= 0, f"{row.account.hex()} has {row.available}")
        for unit in state.units:
            for kind in ("posted", "pending"):
                debits = sums[unit.unit, f"debits_{kind}"]
                credits_ = sums[unit.unit, f"credits_{kind}"]
                _require(debits == credits_, f"{unit.symbol} {kind}: {debits} != {credits_}")

    def _check_holds(self, state: State) -> None:
        for row in state.holds:
            _require(0 <= row.captured <= row.maximum, f"{row.hold.hex()} captured {row.captured}")
            if row.is_open:
                _require(row.hold not in self._ends, f"{row.hold.hex()} is open again")
            else:
                end = (row.status, row.ended_at_ns, row.captured)
                before = self._ends.setdefault(row.hold, end)
                _require(before == end, f"{row.hold.hex()} ended twice")

    def _check_channels(self, state: State) -> None:
        for row in state.channels:
            name = row.channel.hex()
            _require(0 <= row.paid <= row.deposit, f"{name} paid {row.paid} of {row.deposit}")
            _require(row.paid <= row.highest, f"{name} paid {row.paid} for {row.highest}")
            if row.is_open:
                _require(row.channel not in self._closed, f"{name} is open again")
            else:
                before = self._closed.setdefault(row.channel, row)
                _require(before == row, f"{name} changed after its close")

    def _check_corrections(self, state: State) -> None:
        for row in state.corrections:
            _require(0 < row.corrected <= row.amount, f"{row.cited}: {row.corrected} given back")
        for asked in state.disputes:
            amounts = (asked.accepted, asked.disputed, asked.amount)
            _require(list(amounts) == sorted(amounts), f"{asked.cited}: {amounts}")

    def _check_recoveries(self, state: State) -> None:
        for row in state.recoveries:
            key = state.keys[row.recovery_key]
            good = key.scope is Scope.RECOVERY and key.status is KeyStatus.ACTIVE
            _require(good and key.principal == row.principal, f"{row.key.hex()} is announced")
            _require(row.key not in state.keys, f"{row.key.hex()} is announced and registered")

    def _check_mandates(self, state: State) -> None:
        for row in state.mandates:
            name = row.mandate.hex()
            _require(0 <= row.used <= row.cap, f"{name} used {row.used} of {row.cap}")
            _require(0 < row.cap_each <= row.cap, f"{name}: {row.cap_each} of {row.cap} at once")
        for quote in state.quotes:
            name = quote.quote.hex()
            _require(0 < quote.agreed <= quote.cap, f"{name}: {quote.agreed} of {quote.cap}")
        for taken in state.exchanges:
            name = taken.quote.hex()
            _require(0 < taken.given <= taken.cap, f"{name}: {taken.given} of {taken.cap}")

    def _check_claims(self, state: State) -> None:
        for terms in state.terms:
            hold = state.holds[terms.hold]
            highest = hold.maximum + terms.debt_limit
            charged = hold.captured + terms.beyond
            _require(charged <= highest, f"{hold.hold.hex()} charged {charged} of {highest}")
        for row in state.claims:
            name = row.claim.hex()
            _require(0 <= row.rest <= row.amount, f"{row.rest} of claim {name} are left")
            _require(row.is_open == (row.rest > 0), f"claim {name}: {row.status.name}")
            _require(row.is_open == (row.ended_at_ns == 0), f"claim {name} ended")
            of_hold = state.terms.get(HoldId(row.claim))
            if of_hold is not None:
                _require(row.amount <= of_hold.beyond, f"claim {name} is above its hold's charge")

    def _check_pending(self, state: State) -> None:
        debits: Counter[bytes] = Counter()
        credits_: Counter[bytes] = Counter()
        for row in (*state.holds, *state.channels):
            if row.is_open:
                debits[row.payer_account] += row.rest
                credits_[row.payee_account] += row.rest
        for shared in state.shares:
            hold = state.holds[shared.hold]
            for share in shared.shares:
                if hold.is_open:
                    debits[hold.payer_account] -= share.rest
                    debits[grant_account(share.grant)] += share.rest
        for position in _closed_positions(state):
            debits[position.account] += position.due
            credits_[position.account] += position.owes
        for account in state.accounts:
            pending = (account.debits_pending, account.credits_pending)
            rests = (debits[account.account], credits_[account.account])
            _require(pending == rests, f"{account.account.hex()}: {pending} != {rests}")

    def _check_grants(self, state: State) -> None:
        """A grant pays its grantee's holds, within its earmark, and no more than it has."""
        for shared in state.shares:
            hold = state.holds[shared.hold]
            payer = state.accounts[hold.payer_account]
            provider = state.accounts[hold.payee_account].owner
            terms = state.terms.get(hold.hold)
            _require(sum(share.maximum for share in shared.shares) <= shared.whole, "shares")
            for share in shared.shares:
                _require(0 <= share.paid <= share.maximum, f"{share.grant.hex()} paid {share.paid}")
                grant = state.grants.get(share.grant)
                if grant is None:
                    continue
                earmarks = (
                    (grant.providers, {provider}),
                    (grant.models, {terms.model} if terms else set()),
                    (grant.regions, set(terms.regions) if terms else set()),
                )
                for list_id, served in earmarks:
                    if list_id != NO_ID:
                        is_within = served and served <= set(state.lists[list_id].ids)
                        _require(bool(is_within), f"{grant.grant.hex()} paid for others")
                _require(grant.grantee == payer.owner != provider, "a grant paid for a stranger")
        for grant in state.grants:
            account = state.accounts[grant_account(grant.grant)]
            is_settled = not grant.is_open and account.debits_pending == 0
            _require(is_settled == bool(grant.settled_at_ns), f"{grant.grant.hex()} is not settled")
            _require(grant.is_open == (grant.ended_at_ns == 0), f"{grant.grant.hex()} ended")

    def _check_limits(self, state: State) -> None:
        """What is marked was counted, of HELD nothing else; nothing is marked that has ended."""
        marked: Counter[bytes] = Counter()
        rests = {row.hold: row.rest for row in state.holds if row.is_open}
        for hold in state.holds:
            if debts.may_come_late(hold, state.terms.get(hold.hold), final=True):
                rests[hold.hold] = 0
        channels = {row.channel: row.rest for row in state.channels if row.is_open}
        for mark in state.marks:
            rest = rests.get(mark.pin, channels.get(mark.pin))  # type: ignore[call-overload]
            _require(rest is not None, f"{mark.pin.hex()} has ended, its mark has not")
            is_held = mark.window is LimitWindow.HELD
            _require(not is_held or mark.amount <= rest, f"{mark.pin.hex()} holds less than marked")
            limit = state.limits.get(mark.limit)
            if limit is not None and limit.since_ns == mark.since_ns:
                marked[mark.limit] += mark.amount
        for row in state.limits:
            total = marked[row.limit_key]
            counted = total == row.used if row.window is LimitWindow.HELD else total <= row.used
            _require(counted, f"{row.limit_key.hex()} counts {row.used}, {total} is marked")

    def _check_netting(self, state: State) -> None:
        """The pairs of unsettled windows are the position of each account, exactly."""
        positions: Counter[bytes] = Counter()
        for pair in state.pairs:
            _require(pair.amount > 0, "a pair of nothing")
            positions[pair.debtor_account] -= pair.amount
            positions[pair.creditor_account] += pair.amount
            both = pair.debtor_account in state.members and pair.creditor_account in state.members
            _require(both, "a pair with a stranger")
        for row in state.accounts:
            if row.flags & AccountFlags.DEFERRED:
                _require(row.balance == positions[row.account], f"{row.account.hex()}: {row}")
        for member in state.members:
            limit = state.accounts[member.account].credit_limit
            _require(limit >= member.maximum_debit, f"{member.account.hex()} has {limit}")


def _closed_positions(state: State) -> list[Position]:
    found = []
    for window in state.windows:
        if window.status is WindowStatus.CLOSED:
            pairs = state.pairs.members((window.unit, window.window))
            net = net_positions(
                (pair.debtor_account, pair.creditor_account, pair.amount) for pair in pairs
            )
            _require(sum(row.due for row in net) == sum(row.owes for row in net), "not zero")
            found += net
    return found


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvariantBrokenError(message)

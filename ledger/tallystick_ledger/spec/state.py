"""The state of a ledger: what of its log so far decides the results of the records to come.

One `Table` of frozen rows for each table of docs/format.md section 10, under the same name, and
the two numbers that the next block has to continue. All of it is derived from the log.

What is looked up otherwise than by key follows from the rows and is kept by the tables:

| table | group (for caps) | second key |
|---|---|---|
| keys | principal | |
| names | owner | owner, name kind, hash of the text |
| units | | symbol |
| accounts | owner | |
| holds | owner of the payer's account, while open | |
| live_ids | | principal, envelope id |
| references | principal | principal, group, reference |
| channels | owner of the payer's account, until closed | |
| cards | owner | |
| price_lines | card | |
| terms | | |
| quotes | beneficiary | |
| corrections | owner of the payee's account | |
| disputes | owner of the payer's account | |
| mandates | owner of the payer's account | |
| grants | grantee, while open | |
| shares | | |
| limits | whose spending they bound | |
| lines | line | |
| marks | hold or channel | |
| zones | | |
| lists | owner | |
| relations | registrar | |
| deferred_units | | |
| members | unit of the account | |
| windows | unit | |
| pairs | unit, window | |
| claims | owner of the payer's account | |
| recoveries | | key that is to become OWNER |
| exchanges | maker | |

Holds are also taken in the order in which they expire, and in which they ended, and those with
marks after their end in that of their expiry; channels in the
order in which they close by themselves, and in which they were closed; cards in that in which they
are forgotten; corrections and disputes in that of the records that they are about; mandates in that
in which they are over, quotes and exchanges in that in which they expire; claims in that in which
they were paid or waived; grants in that in which they expire, and in which they were settled. Heaps
give these orders; an entry that its row no longer bears out is skipped.
"""

from heapq import heappop, heappush
from typing import Self, TypeVar

from tallystick_ledger.genesis import Genesis
from tallystick_ledger.ids import (
    AccountId,
    Amount,
    CardId,
    ChannelId,
    ClaimId,
    GrantId,
    HoldId,
    LineId,
    ListId,
    MandateId,
    NameId,
    PrincipalId,
    PublicKey,
    QuoteId,
    SequenceNumber,
    TimestampNs,
    UnitId,
    ZoneId,
    node_principal,
    operator_principal,
)
from tallystick_ledger.limits import DRAFT_LIFETIME_NS, ID_BYTES
from tallystick_ledger.merkle import Frontier
from tallystick_ledger.records import LimitTarget, PrincipalType, Scope
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.tables import Journal, Table
from tallystick_ledger.state_rows import (
    AccountRow,
    CardRow,
    ChannelRow,
    ChannelStatus,
    ClaimRow,
    CorrectionRow,
    DeferredUnitRow,
    DisputeRow,
    ExchangeRow,
    GrantRow,
    HoldRow,
    KeyRow,
    KeyStatus,
    LimitKey,
    LimitRow,
    LineRow,
    ListRow,
    LiveIdRow,
    MandateRow,
    MarkRow,
    MemberRow,
    NameRow,
    PairRow,
    PriceLineRow,
    PrincipalRow,
    QuoteRow,
    RecoveryRow,
    ReferenceRow,
    RelationRow,
    SharesRow,
    TermsRow,
    UnitRow,
    WindowRow,
    ZoneRow,
)

_GENESIS = SequenceNumber(0)
PairKey = tuple[UnitId, int, AccountId, AccountId]
_Cited = TypeVar("_Cited", CorrectionRow, DisputeRow)


class State:
    """All tables of a ledger; changed in place, one block after the other, by `apply_block`.

    Attributes:
        genesis: What the ledger was founded with; never changes.
        ledger_id: Hash of the genesis.
        next_sequence_number: Of the first record of the next block.
        min_timestamp_ns: The smallest permitted timestamp of the next block.
        log: The log tree, one leaf for each envelope so far.
        journal: Undoes an ATOMIC envelope; `begin`, `commit` and `rollback` are its.
    """

    def __init__(self, genesis: Genesis) -> None:
        self.genesis = genesis
        self.ledger_id = genesis.ledger_id
        self.next_sequence_number = SequenceNumber(1)
        self.min_timestamp_ns = TimestampNs(0)
        self.log = Frontier()
        self.journal = Journal()
        self.principals: Table[PrincipalId, PrincipalRow] = Table(self.journal)
        self.keys: Table[PublicKey, KeyRow] = Table(
            self.journal, member_of=lambda row: row.principal
        )
        self.names: Table[NameId, NameRow] = Table(
            self.journal,
            member_of=lambda row: row.owner,
            alias_of=lambda row: (row.owner, row.name_kind, row.text_hash),
        )
        self.units: Table[UnitId, UnitRow] = Table(self.journal, alias_of=lambda row: row.symbol)
        self.accounts: Table[AccountId, AccountRow] = Table(
            self.journal, member_of=lambda row: row.owner
        )
        self.holds: Table[HoldId, HoldRow] = Table(self.journal, member_of=self._payer_while_open)
        self.live_ids: Table[SequenceNumber, LiveIdRow] = Table(
            self.journal, alias_of=lambda row: (row.principal, row.envelope_id)
        )
        self.references: Table[SequenceNumber, ReferenceRow] = Table(
            self.journal,
            member_of=lambda row: row.principal,
            alias_of=lambda row: (row.principal, row.group, row.reference),
        )
        self.channels: Table[ChannelId, ChannelRow] = Table(
            self.journal, member_of=self._payer_while_open
        )
        self.cards: Table[CardId, CardRow] = Table(self.journal, member_of=lambda row: row.owner)
        self.price_lines: Table[LineId, PriceLineRow] = Table(
            self.journal, member_of=lambda row: row.card
        )
        self.terms: Table[HoldId, TermsRow] = Table(self.journal)
        self.quotes: Table[QuoteId, QuoteRow] = Table(
            self.journal, member_of=lambda row: row.beneficiary
        )
        self.corrections: Table[SequenceNumber, CorrectionRow] = Table(
            self.journal, member_of=lambda row: self.accounts[row.payee_account].owner
        )
        self.disputes: Table[SequenceNumber, DisputeRow] = Table(
            self.journal, member_of=self._payer
        )
        self.mandates: Table[MandateId, MandateRow] = Table(self.journal, member_of=self._payer)
        self._make_grant_tables()
        self._make_limit_tables()
        self.deferred_units: Table[UnitId, DeferredUnitRow] = Table(self.journal)
        self.members: Table[AccountId, MemberRow] = Table(
            self.journal, member_of=lambda row: self.accounts[row.account].unit
        )
        self.windows: Table[tuple[UnitId, int], WindowRow] = Table(
            self.journal, member_of=lambda row: row.unit
        )
        self.pairs: Table[PairKey, PairRow] = Table(
            self.journal, member_of=lambda row: (row.unit, row.window)
        )
        self.claims: Table[ClaimId, ClaimRow] = Table(self.journal, member_of=self._payer)
        self.exchanges: Table[QuoteId, ExchangeRow] = Table(
            self.journal, member_of=lambda row: row.maker
        )
        self.recoveries: Table[PrincipalId, RecoveryRow] = Table(
            self.journal, alias_of=lambda row: row.key
        )
        self._begin_orders()

    def _begin_orders(self) -> None:
        self._expiring: list[tuple[TimestampNs, HoldId]] = []
        self._ended: list[tuple[TimestampNs, TimestampNs, HoldId]] = []
        self._in_grace: list[tuple[TimestampNs, HoldId]] = []
        self._closing: list[tuple[TimestampNs, ChannelId]] = []
        self._closed: list[tuple[TimestampNs, ChannelId]] = []
        self._forgettable_cards: list[tuple[int, CardId]] = []
        self._corrected: list[SequenceNumber] = []
        self._disputed: list[SequenceNumber] = []
        self._mandates_over: list[tuple[TimestampNs, MandateId]] = []
        self._quotes_expired: list[tuple[TimestampNs, QuoteId]] = []
        self._ended_claims: list[tuple[TimestampNs, ClaimId]] = []
        self._exchanges_expired: list[tuple[TimestampNs, QuoteId]] = []

    def _make_limit_tables(self) -> None:
        self.limits: Table[LimitKey, LimitRow] = Table(self.journal, member_of=self._limited)
        self.lines: Table[PublicKey, LineRow] = Table(self.journal, member_of=lambda row: row.line)
        self.marks: Table[tuple[bytes, LimitKey], MarkRow] = Table(
            self.journal, member_of=lambda row: row.pin
        )
        self.zones: Table[ZoneId, ZoneRow] = Table(self.journal)

    def _make_grant_tables(self) -> None:
        self.grants: Table[GrantId, GrantRow] = Table(
            self.journal, member_of=lambda row: row.grantee if row.is_open else None
        )
        self.shares: Table[HoldId, SharesRow] = Table(self.journal)
        self.lists: Table[ListId, ListRow] = Table(self.journal, member_of=lambda row: row.owner)
        self.relations: Table[tuple[PrincipalId, PrincipalId, PrincipalId], RelationRow] = Table(
            self.journal, member_of=lambda row: row.registrar
        )
        self._expiring_grants: list[tuple[TimestampNs, GrantId]] = []
        self._settled: list[tuple[TimestampNs, GrantId]] = []

    @classmethod
    def from_genesis(cls, genesis: Genesis) -> Self:
        """Returns the state before the first block: operators and nodes with their keys."""
        state = cls(genesis)
        for position, key in enumerate(genesis.operators):
            principal = operator_principal(state.ledger_id, position)
            state._found(principal, PrincipalType.OPERATOR, key, Scope.OPERATE)
        for node in genesis.nodes:
            principal = node_principal(state.ledger_id, node.raft_id)
            state._found(principal, PrincipalType.NODE, node.ledger_key, Scope.NODE)
        return state

    def put_account(self, row: AccountRow) -> None:
        """Writes the row of an account."""
        self.accounts.put(row.account, row)

    def put_hold(self, row: HoldRow) -> None:
        """Writes the row of a hold and enters it into the order that its status asks for."""
        before = self.holds.get(row.hold)
        self.holds.put(row.hold, row)
        if before is None or before.expires_at_ns != row.expires_at_ns:
            heappush(self._expiring, (row.expires_at_ns, row.hold))
        if not row.is_open:
            heappush(self._ended, (row.ended_at_ns, row.expires_at_ns, row.hold))
            if self.marks.count(row.hold):
                heappush(self._in_grace, (row.expires_at_ns, row.hold))

    def next_to_expire(self) -> HoldRow | None:
        """Returns the open hold with the smallest (expires_at_ns, id), due or not."""
        while self._expiring:
            expires_at_ns, hold = self._expiring[0]
            row = self.holds.get(hold)
            if row is not None and row.is_open and row.expires_at_ns == expires_at_ns:
                return row
            heappop(self._expiring)
        return None

    def next_to_forget(self) -> HoldRow | None:
        """Returns the hold that ended first: with the smallest (ended_at_ns, expires_at_ns, id)."""
        while self._ended:
            ended_at_ns, _, hold = self._ended[0]
            row = self.holds.get(hold)
            if row is not None and row.ended_at_ns == ended_at_ns:
                return row
            heappop(self._ended)
        return None

    def next_out_of_grace(self) -> HoldRow | None:
        """Returns the ended hold with marks that has the smallest (expires_at_ns, id)."""
        while self._in_grace:
            row = self.holds.get(self._in_grace[0][1])
            if row is not None and self.marks.count(row.hold):
                return row
            heappop(self._in_grace)
        return None

    def put_channel(self, row: ChannelRow) -> None:
        """Writes the row of a channel and enters it into the order that its status asks for."""
        self.channels.put(row.channel, row)
        if row.status is ChannelStatus.CLOSING:
            heappush(self._closing, (row.closes_at_ns, row.channel))
        elif row.status is ChannelStatus.CLOSED:
            heappush(self._closed, (row.ended_at_ns, row.channel))

    def next_to_close(self) -> ChannelRow | None:
        """Returns the closing channel with the smallest (closes_at_ns, id), due or not."""
        while self._closing:
            closes_at_ns, channel = self._closing[0]
            row = self.channels.get(channel)
            if row is not None and row.closes_at_ns == closes_at_ns:
                return row
            heappop(self._closing)
        return None

    def next_channel_to_forget(self) -> ChannelRow | None:
        """Returns the closed channel with the smallest (ended_at_ns, id)."""
        while self._closed:
            ended_at_ns, channel = self._closed[0]
            row = self.channels.get(channel)
            if row is not None and row.ended_at_ns == ended_at_ns:
                return row
            heappop(self._closed)
        return None

    def put_card(self, row: CardRow) -> None:
        """Writes the row of a card and enters it into the order that its status asks for."""
        self.cards.put(row.card, row)
        forget_after_ns = self.card_forgotten_after_ns(row)
        if forget_after_ns is not None:
            heappush(self._forgettable_cards, (forget_after_ns, row.card))

    def card_forgotten_after_ns(self, row: CardRow) -> int | None:
        """After which time a card is forgotten; None for one that is in force for good."""
        if not row.is_published:
            return row.created_at_ns + DRAFT_LIFETIME_NS
        if row.superseded_from_ns == 0:
            return None
        genesis = self.genesis
        return row.superseded_from_ns + genesis.hold_max_lifetime_ns + genesis.hold_retention_ns

    def next_card_to_forget(self) -> CardRow | None:
        """Returns the card with the smallest (time after which it is forgotten, id)."""
        while self._forgettable_cards:
            forget_after_ns, card = self._forgettable_cards[0]
            row = self.cards.get(card)
            if row is not None and self.card_forgotten_after_ns(row) == forget_after_ns:
                return row
            heappop(self._forgettable_cards)
        return None

    def remove_card(self, row: CardRow) -> int:
        """Forgets a card with its lines; returns how many rows these were."""
        lines = self.price_lines.members(row.card)
        for line in lines:
            self.price_lines.remove(line.line)
        self.cards.remove(row.card)
        return 1 + len(lines)

    def put_correction(self, row: CorrectionRow) -> None:
        """Writes the row of a corrected record."""
        if row.cited not in self.corrections:
            heappush(self._corrected, row.cited)
        self.corrections.put(row.cited, row)

    def next_correction_to_forget(self) -> CorrectionRow | None:
        """Returns the row of the oldest corrected record."""
        return _oldest(self._corrected, self.corrections)

    def put_dispute(self, row: DisputeRow) -> None:
        """Writes the row of a disputed record."""
        if row.cited not in self.disputes:
            heappush(self._disputed, row.cited)
        self.disputes.put(row.cited, row)

    def next_dispute_to_forget(self) -> DisputeRow | None:
        """Returns the row of the oldest disputed record."""
        return _oldest(self._disputed, self.disputes)

    def put_mandate(self, row: MandateRow) -> None:
        """Writes the row of a mandate and enters it into the order in which they are over."""
        self.mandates.put(row.mandate, row)
        heappush(self._mandates_over, (row.over_at_ns, row.mandate))

    def next_mandate_to_forget(self) -> MandateRow | None:
        """Returns the mandate with the smallest (time from which it is over, id)."""
        while self._mandates_over:
            over_at_ns, mandate = self._mandates_over[0]
            row = self.mandates.get(mandate)
            if row is not None and row.over_at_ns == over_at_ns:
                return row
            heappop(self._mandates_over)
        return None

    def put_grant(self, row: GrantRow) -> None:
        """Writes the row of a grant and enters it into the order that its status asks for."""
        if row.grant not in self.grants:
            heappush(self._expiring_grants, (row.expires_at_ns, row.grant))
        self.grants.put(row.grant, row)
        if row.settled_at_ns:
            heappush(self._settled, (row.settled_at_ns, row.grant))

    def next_grant_to_expire(self) -> GrantRow | None:
        """Returns the open grant with the smallest (expires_at_ns, id), due or not."""
        while self._expiring_grants:
            row = self.grants.get(self._expiring_grants[0][1])
            if row is not None and row.is_open:
                return row
            heappop(self._expiring_grants)
        return None

    def next_grant_to_forget(self) -> GrantRow | None:
        """Returns the grant with the smallest (settled_at_ns, id)."""
        while self._settled:
            settled_at_ns, grant = self._settled[0]
            row = self.grants.get(grant)
            if row is not None and row.settled_at_ns == settled_at_ns:
                return row
            heappop(self._settled)
        return None

    def add_to_pair(
        self, unit: UnitId, window: int, debtor: AccountId, creditor: AccountId, amount: int
    ) -> None:
        """Adds to what one account owes another, or takes away; at 0 the row goes."""
        key = (unit, window, debtor, creditor)
        before = self.pairs.get(key)
        total = amount + (0 if before is None else before.amount)
        if total > 0:
            row = PairRow(unit, window, debtor, creditor, amounts.add(Amount(total), Amount(0)))
            self.pairs.put(key, row)
        elif before is not None:
            self.pairs.remove(key)

    def knows_key(self, key: PublicKey) -> bool:
        """Whether a key is registered, or is to be by a recovery that is pending."""
        return key in self.keys or self.recoveries.find(key) is not None

    def key_count(self, principal: PrincipalId) -> int:
        """Returns what counts for the cap on keys: those there are, and one to come."""
        return self.keys.count(principal) + (principal in self.recoveries)

    def next_to_recover(self) -> RecoveryRow | None:
        """Returns the recovery with the smallest (due_ns, principal), due or not."""
        return min(self.recoveries, key=lambda row: (row.due_ns, row.principal), default=None)

    def owes_or_is_owed(self, account: AccountId) -> bool:
        """Whether an unsettled window has a pair of this account."""
        return any(account in (row.debtor_account, row.creditor_account) for row in self.pairs)

    def put_quote(self, row: QuoteRow) -> None:
        """Writes the row of a quote and enters it into the order in which they expire."""
        if row.quote not in self.quotes:
            heappush(self._quotes_expired, (row.not_after_ns, row.quote))
        self.quotes.put(row.quote, row)

    def next_quote_to_forget(self) -> QuoteRow | None:
        """Returns the quote with the smallest (not_after_ns, id)."""
        while self._quotes_expired:
            row = self.quotes.get(self._quotes_expired[0][1])
            if row is not None:
                return row
            heappop(self._quotes_expired)
        return None

    def put_claim(self, row: ClaimRow) -> None:
        """Writes the row of a claim and enters it into the order that its status asks for."""
        self.claims.put(row.claim, row)
        if not row.is_open:
            heappush(self._ended_claims, (row.ended_at_ns, row.claim))

    def next_claim_to_forget(self) -> ClaimRow | None:
        """Returns the paid or waived claim with the smallest (ended_at_ns, id)."""
        while self._ended_claims:
            ended_at_ns, claim = self._ended_claims[0]
            row = self.claims.get(claim)
            if row is not None and row.ended_at_ns == ended_at_ns:
                return row
            heappop(self._ended_claims)
        return None

    def put_exchange(self, row: ExchangeRow) -> None:
        """Writes the row of an exchange quote, and enters it into the order of their ends."""
        if row.quote not in self.exchanges:
            heappush(self._exchanges_expired, (row.not_after_ns, row.quote))
        self.exchanges.put(row.quote, row)

    def next_exchange_to_forget(self) -> ExchangeRow | None:
        """Returns the exchange quote with the smallest (not_after_ns, id)."""
        while self._exchanges_expired:
            row = self.exchanges.get(self._exchanges_expired[0][1])
            if row is not None:
                return row
            heappop(self._exchanges_expired)
        return None

    def _payer(self, row: DisputeRow | MandateRow | ClaimRow) -> PrincipalId:
        return self.accounts[row.payer_account].owner

    def _payer_while_open(self, row: HoldRow | ChannelRow) -> PrincipalId | None:
        if not row.is_open:
            return None
        return self.accounts[row.payer_account].owner

    def _limited(self, row: LimitRow) -> PrincipalId:
        if row.target is LimitTarget.KEY:
            return self.keys[PublicKey(row.subject)].principal
        first = row.subject[:ID_BYTES]
        if row.target is LimitTarget.PRINCIPAL:
            return PrincipalId(first)
        return self.accounts[AccountId(first)].owner

    def _found(
        self, principal: PrincipalId, principal_type: PrincipalType, key: PublicKey, scope: Scope
    ) -> None:
        self.principals.put(principal, PrincipalRow(principal, principal_type, _GENESIS))
        self.keys.put(
            key,
            KeyRow(
                key=key,
                principal=principal,
                scope=scope,
                status=KeyStatus.ACTIVE,
                registered_at=_GENESIS,
                until_ns=TimestampNs(0),
                revoked_at=_GENESIS,
            ),
        )


def _oldest(cited: list[SequenceNumber], rows: Table[SequenceNumber, _Cited]) -> _Cited | None:
    """Returns the row of the smallest of the cited records that still has one."""
    while cited:
        row = rows.get(cited[0])
        if row is not None:
            return row
        heappop(cited)
    return None

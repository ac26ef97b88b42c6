"""What can go wrong, as types.

    TallystickError
    ├── ConfigurationError            profile, key file or CA: nothing was sent
    ├── InvalidArgument (ValueError)  no record can say this: nothing was built or sent
    │   ├── InvalidVoucher            the channel's key did not sign it: nothing was sent
    │   └── InvalidQuote              likewise, of a quote
    ├── ConnectionFailed              no node could be asked: nothing was ordered, nothing was read
    ├── AccessDenied                  the node knows who asks, or does not, and says no
    ├── ProtocolError                 a node answered what the interface does not allow
    ├── HoldExhausted                 more was used than a hold could pin: end the stream
    ├── OutcomeUnknown                sent, but nobody could say what became of it: resolve it
    ├── Refused                       the envelope as a whole was not executed
    │   ├── Overloaded                no room now
    │   ├── NoLeader                  no node leads now
    │   ├── TooLate                   `valid_until` had passed
    │   ├── IdConflict                another envelope has used up the id
    │   ├── UnknownKey                the signer's key is not registered
    │   └── InvalidEnvelope           its bytes, signature, ledger or times are wrong
    └── RecordRefused                 one record was ordered and refused; `index` names it
        ├── NotFound
        │   ├── AccountNotFound, UnitNotFound, HoldNotFound, PrincipalNotFound, KeyNotFound
        │   └── ChannelNotFound, CardNotFound, NameNotFound
        │       CitedNotFound, DisputeNotFound, MandateNotFound, QuoteNotFound, ClaimNotFound
        │       GrantNotFound, ListNotFound, RelationNotFound
        ├── AlreadyExists             key, name or symbol is taken, relation stated; reference used
        │   └── ReferenceUsed
        ├── FundsRefused
        │   ├── InsufficientFunds     the payer never had it
        │   ├── FundsHeld             it is there, but on hold
        │   ├── CreditInUse           a credit limit below its use
        │   └── MakerCannotPay        the maker of an exchange quote does not have it
        ├── KeyRefused                revoked, expired, out of scope
        ├── RecoveryRefused           one is pending already, or none that could be vetoed
        ├── AccountRefused            frozen, closed, wrong unit, not empty
        ├── HoldRefused               ended, captured amount out of range, not the payee
        │   ├── HoldExpired
        │   └── WrongSide             for the other of payer and payee; also of channels and so on
        ├── ChannelRefused
        │   ├── ChannelEnded, ChannelClosing
        │   ├── ChannelExhausted      the deposit is paid out
        │   ├── VoucherLowered        one for more was redeemed before
        │   └── BadVoucher            the channel's key did not sign it
        ├── CardRefused               no draft, lines missing or overlapping, too soon, superseded
        ├── PriceRefused              not what was agreed, or another amount
        │   └── NotPriced             the card has no price for it
        ├── MandateRefused            ended, expired, or the charge is above its caps
        ├── QuoteRefused              expired, used up, or not signed by its provider
        ├── CorrectionRefused         of a refund, a dispute or its answer
        │   ├── CorrectionExceeds     more than what is left of what the record paid
        │   ├── CorrectionTooLate     the record is too old
        │   ├── CitationsFull         too much is corrected just now
        │   ├── RepriceRefused        no card priced it, or nothing is left to give back
        │   └── DisputeRefused        open already, answered, lapsed; more than disputed
        ├── NettingRefused            the unit, window, positions or member are not as they must be
        ├── GrantRefused              ended, the key of another grant, the signer's own word
        ├── LimitRefused              of setting limits and delegating keys
        │   ├── LimitWidened          a SPEND key may only narrow
        │   ├── ZoneRefused           no such zone, not so far, another version
        │   └── DelegationInvalid     above itself, or too many above
        ├── LimitExceeded             a limit has no room; says whose, and when it resets
        ├── ClaimRefused, ClaimOpen   (also a HoldRefused) ended, or less is left; pay it first
        ├── CapExceeded               a cap of the genesis
        ├── AtomicAborted             another record of the ATOMIC envelope failed
        └── InvalidRecord             its bytes: kind, flags, fields, amount

Every one has `code` (a word for programs, stable), `message` (what happened), `advice` (what to do
next) and `retryable` (whether the same call may succeed later, without a change by the caller).
Amounts that are no `int` (a bool or float, say) raise TypeError before anything is built.
"""

from typing import TYPE_CHECKING

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import TimestampNs
from tallystick_ledger.zones import SECOND_NS

if TYPE_CHECKING:
    from tallystick.results import Receipt
    from tallystick_ledger.ids import EnvelopeId, PrincipalId


class TallystickError(Exception):
    """Everything that the SDK raises on purpose.

    Attributes:
        code: A word that never changes, such as `INSUFFICIENT_FUNDS` or `OUTCOME_UNKNOWN`.
        message: What happened, in a sentence.
        advice: What to do next, in a sentence.
        retryable: Whether the same call may succeed later.
    """

    code: str = "ERROR"
    retryable: bool = False
    default_advice: str = "See the message."

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice or self.default_advice

    def __str__(self) -> str:
        """Code, message and advice in one line."""
        return f"{self.code}: {self.message} {self.advice}".strip()


class ConfigurationError(TallystickError):
    """A profile, key file or certificate is missing or wrong; nothing was sent."""

    code = "CONFIGURATION"
    default_advice = "Correct it and try again."


class InvalidArgument(TallystickError, ValueError):  # noqa: N818 - says what happened
    """An argument that no record or envelope can hold; nothing was built or sent."""

    code = "INVALID_ARGUMENT"
    default_advice = "Correct the argument."


class InvalidVoucher(InvalidArgument):
    """A voucher that the channel's key did not sign, as its payee found out off the ledger."""

    code = Code.BAD_VOUCHER.name
    default_advice = Code.BAD_VOUCHER.advice


class HoldExhausted(TallystickError):  # noqa: N818 - says what happened
    """More was used than the hold has pinned, and no more could be pinned; `__cause__` says why.

    Attributes:
        pinned: What the hold will be charged, in the unit's smallest step.
    """

    code = "HOLD_EXHAUSTED"
    default_advice = "End the stream; what was used up to there is charged."

    def __init__(self, pinned: int) -> None:
        super().__init__(f"The hold has no more than the {pinned} that are pinned.")
        self.pinned = pinned


class InvalidQuote(InvalidArgument):
    """A quote that the key which it names did not sign, as found out off the ledger."""

    code = Code.BAD_QUOTE.name
    default_advice = Code.BAD_QUOTE.advice


class ConnectionFailed(TallystickError):  # noqa: N818 - says what happened
    """No node could be asked within the deadline; nothing was ordered and nothing was read."""

    code = "CONNECTION_FAILED"
    retryable = True
    default_advice = "Check the endpoints and the CA, and that a majority of the nodes runs."


class AccessDenied(TallystickError):  # noqa: N818 - says what happened
    """The node refuses this caller."""

    code = "ACCESS_DENIED"
    default_advice = "Use a key that may: of the principal whose this is, or with scope AUDIT."


class ProtocolError(TallystickError):
    """A node answered what the interface does not allow, or refuses the request's shape."""

    code = "PROTOCOL"
    default_advice = "Check that client and node are of compatible versions."


class OutcomeUnknown(TallystickError):  # noqa: N818 - says what happened
    """The envelope was sent, and no node could say in time whether it was ordered.

    It may be in the ledger, may still come into it, or never will. Do not send its records in
    another envelope before `client.resolve(error)` has answered NEVER.

    Attributes:
        envelope_id: 16 bytes, as in the header.
        principal: Principal of the signing key; `resolve` needs both.
        valid_until_ns: From then on (in log time) it can no longer be ordered.
        envelope: The stored bytes; sending these again is always safe.
    """

    code = "OUTCOME_UNKNOWN"
    retryable = True
    default_advice = "Call resolve() with this error; never pay again before it says NEVER."

    def __init__(
        self,
        envelope: bytes,
        envelope_id: "EnvelopeId",
        principal: "PrincipalId",
        valid_until_ns: "TimestampNs",
        cause: str = "",
    ) -> None:
        because = f" ({cause})" if cause else ""
        super().__init__(f"What became of envelope {envelope_id.hex()} is not known{because}.")
        self.envelope = envelope
        self.envelope_id = envelope_id
        self.principal = principal
        self.valid_until_ns = valid_until_ns


class Refused(TallystickError):  # noqa: N818 - says what happened
    """The envelope was not executed: refused before ordering, or ordered in vain.

    Attributes:
        refusal: The code of docs/format.md section 11.
        envelope_id: 16 bytes; empty where no envelope could be read from the bytes.
    """

    def __init__(
        self, refusal: Code, envelope_id: bytes = b"", *, message: str = "", advice: str = ""
    ) -> None:
        super().__init__(message or refusal.meaning, advice=advice or refusal.advice)
        self.refusal = refusal
        self.envelope_id = envelope_id
        self.code = refusal.name


class Overloaded(Refused):
    """There was no room within the deadline; nothing was ordered."""

    retryable = True


class NoLeader(Refused):
    """No node led within the deadline; nothing was ordered."""

    retryable = True


class TooLate(Refused):
    """`valid_until` passed before it was ordered. It changed nothing and never will."""


class IdConflict(Refused):
    """Another envelope with this id was ordered first."""


class UnknownKey(Refused):
    """The signer's key is not registered in this ledger."""


class InvalidEnvelope(Refused):
    """Its bytes, signature, ledger or times do not follow the format."""


class RecordRefused(TallystickError):  # noqa: N818 - says what happened
    """A record was ordered and refused: it stands in the ledger with its code, without effect.

    Attributes:
        refusal: The code of docs/format.md section 11.
        index: Index of the record in its envelope.
        detail: The result's `detail`: with ATOMIC_ABORTED the index of the record at fault, with
            LIMIT_EXCEEDED which limit (`LimitExceeded` has it in parts).
        receipt: The whole envelope's receipt.
    """

    def __init__(self, refusal: Code, index: int, detail: int, receipt: "Receipt") -> None:
        super().__init__(f"Record {index}: {refusal.meaning}", advice=refusal.advice)
        self.refusal = refusal
        self.index = index
        self.detail = detail
        self.receipt = receipt
        self.code = refusal.name


class NotFound(RecordRefused):
    """What the record names does not exist, or is not the signer's."""


class AccountNotFound(NotFound):
    """No such account, or none of the signer."""


class UnitNotFound(NotFound):
    """No such unit, or the signer does not issue it."""


class HoldNotFound(NotFound):
    """No such hold of the signer; ended holds are forgotten after a while."""


class ChannelNotFound(NotFound):
    """No such channel of the signer; closed ones are forgotten after a while."""


class CardNotFound(NotFound):
    """No such published card, and no such draft of the signer."""


class NameNotFound(NotFound):
    """No such model, meter, tier or region."""


class PrincipalNotFound(NotFound):
    """No such principal."""


class KeyNotFound(NotFound):
    """The principal has no such key."""


class AlreadyExists(RecordRefused):
    """A key, name or symbol is taken."""


class ReferenceUsed(AlreadyExists):
    """A record with the same UNIQUE reference was accepted before: probably this one."""


class CitedNotFound(NotFound):
    """No earlier record with this sequence number paid to or from the signer."""


class DisputeNotFound(NotFound):
    """No dispute of that record concerns the signer."""


class MandateNotFound(NotFound):
    """No such mandate concerns the signer."""


class QuoteNotFound(NotFound):
    """No such quote for the payer was redeemed before, and none was sent along."""


class ClaimNotFound(NotFound):
    """No such claim of or against the signer; paid ones are forgotten after a while."""


class GrantNotFound(NotFound):
    """No grant by or to the signer has this id."""


class ListNotFound(NotFound):
    """No LIST has this id."""


class RelationNotFound(NotFound):
    """The signer states no relation between these two."""


class FundsRefused(RecordRefused):
    """The account does not have what the record asks."""


class InsufficientFunds(FundsRefused):
    """More than the account has, held amounts included."""


class FundsHeld(FundsRefused):
    """The account has it, but other holds pin it; they end."""

    retryable = True


class CreditInUse(FundsRefused):
    """The account uses more than the new credit limit."""


class MakerCannotPay(FundsRefused):
    """The maker of the exchange quote has not the funds, or its limits have no room."""

    retryable = True


class KeyRefused(RecordRefused):
    """The signing key may not do this: revoked, expired, or of another scope."""


class RecoveryRefused(RecordRefused):
    """A recovery of the principal is pending already; or none that a veto could end."""


class AccountRefused(RecordRefused):
    """The account's state or unit forbids it."""


class HoldRefused(RecordRefused):
    """The hold's state, maximum or times forbid it."""


class HoldExpired(HoldRefused):
    """The hold's time was over."""


class ChannelRefused(RecordRefused):
    """The channel's state, deposit or key forbids it."""


class QuoteRefused(RecordRefused):
    """The quote has expired, is used up, or was signed by no good key of the provider."""


class MandateRefused(RecordRefused):
    """The mandate is over, or the charge is above one of its caps."""


class CorrectionRefused(RecordRefused):
    """What was paid, or corrected before, forbids this correction."""


class CorrectionExceeds(CorrectionRefused):
    """More than what is left of what the record paid: all its corrections count together."""


class CorrectionTooLate(CorrectionRefused):
    """The record is older than the window of corrections."""


class CitationsFull(CorrectionRefused):
    """The block cites as many records as can be looked up; another one will not."""

    retryable = True


class RepriceRefused(CorrectionRefused):
    """No card priced the record, or it cost no more than the new price, all corrections counted."""


class DisputeRefused(CorrectionRefused):
    """The dispute is open already, answered or past its deadline, or is about less."""


class ClaimRefused(RecordRefused):
    """The claim was paid or waived already, or less of it is left."""


class ClaimOpen(ClaimRefused, HoldRefused):
    """The account owes the payee: no new hold before the claim is paid or waived."""


class WrongSide(HoldRefused, ChannelRefused, CorrectionRefused, ClaimRefused):
    """Only the payee may do this to a hold, channel, claim or payment, or only the payer."""


class ChannelEnded(ChannelRefused):
    """The channel is closed."""


class ChannelClosing(ChannelRefused):
    """The payer is closing the channel."""


class ChannelExhausted(ChannelRefused):
    """The deposit is paid out; the same voucher is paid after a top-up."""

    retryable = True


class VoucherLowered(ChannelRefused):
    """A voucher for more was redeemed before."""


class BadVoucher(ChannelRefused):
    """The channel's key did not sign the voucher, for this channel and amount."""


class CardRefused(RecordRefused):
    """The card's state, lines or time forbid it."""


class PriceRefused(RecordRefused):
    """The usage is not what was agreed, or costs another amount than the one expected."""


class NotPriced(PriceRefused):
    """The card has no price for the model or for a meter that was used: nothing is free by that."""


class NettingRefused(RecordRefused):
    """Unit, window, positions or member are not as they must be for this."""


class GrantRefused(RecordRefused):
    """The grant has ended or is another's, its key is taken, or its registrar may not be that."""


class LimitRefused(RecordRefused):
    """A limit cannot be set like that, or a key not be put there."""


class LimitWidened(LimitRefused):
    """A SPEND key may only narrow a limit: name less, or sign with an OWNER key."""


class ZoneRefused(LimitRefused):
    """There is no such zone, its table does not reach so far, or another version is due."""


class DelegationInvalid(LimitRefused):
    """The key would stand above itself, or have more than four above it."""


class LimitExceeded(RecordRefused):
    """A limit has no room for what was to be spent.

    Attributes:
        scope: Whose limit: KEY, ACCOUNT, PRINCIPAL, or PAYEE for what a payee keeps on hold.
        window: Over what it counts.
        above: With KEY: how many keys above the signer's it is; 0 for the signer's own.
        resets_at_ns: When its window ends, to the second, nanoseconds since 1970; None for one that
            does not.
    """

    def __init__(self, refusal: Code, index: int, detail: int, receipt: "Receipt") -> None:
        # Loads all kinds of records, which commands that only help do without.
        from tallystick_ledger.results import LimitDetail  # noqa: PLC0415

        super().__init__(refusal, index, detail, receipt)
        limit = LimitDetail.decode(detail)
        self.scope = limit.target
        self.window = limit.window
        self.above = limit.above
        resets_at_ns = receipt.timestamp_ns + index + limit.resets_in_s * SECOND_NS
        self.resets_at_ns = TimestampNs(resets_at_ns) if limit.resets_in_s else None
        whose = self.scope.name.lower()
        keys = f", {self.above} above the signing one" if self.above else ""
        resets = f"; it resets in {limit.resets_in_s} s" if limit.resets_in_s else ""
        self.message = (
            f"Record {index}: The {self.window.name} limit of the {whose}{keys} has no room"
            f" for it{resets}."
        )
        self.args = (self.message,)


class CapExceeded(RecordRefused):
    """The principal is at a cap of the genesis."""


class AtomicAborted(RecordRefused):
    """Undone, because the record that `detail` names failed."""


class InvalidRecord(RecordRefused):
    """The record's own bytes are wrong."""

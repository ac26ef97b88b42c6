"""Result and refusal codes: number, meaning, and what the caller can do.

Codes 1 to 63 refuse an attempt before ordering and never stand in the ledger; 0 and 64 up are
results of ordered records. Source: docs/format.md section 11, which a test compares with this.
"""

from enum import IntEnum
from typing import Final

FIRST_RESULT_CODE: Final = 64


class Code(IntEnum):
    """One code. The number is the format, the name is for people."""

    OK = 0

    MALFORMED = 1
    WRONG_LEDGER = 2
    BAD_ROOT = 3
    BAD_SIGNATURE = 4
    BAD_KEY = 5
    BAD_POSSESSION = 6
    BAD_ID_TIME = 7
    ID_IN_FUTURE = 8
    UNKNOWN_SIGNER = 9
    TOO_LATE = 10
    OVERLOADED = 11
    NOT_LEADER = 12
    TOO_LARGE = 13
    UNAVAILABLE = 14

    DUPLICATE = 64
    ID_CONFLICT = 65
    EXPIRED = 66
    UNKNOWN_KEY = 67
    ATOMIC_ABORTED = 68

    UNKNOWN_KIND = 70
    UNKNOWN_FLAGS = 71
    RESERVED_NONZERO = 72
    CONT_NOT_ALLOWED = 73
    BAD_FIELD = 74
    ZERO_AMOUNT = 75
    SELF_TRANSFER = 76

    KEY_REVOKED = 80
    KEY_EXPIRED = 81
    SCOPE_DENIED = 82
    REFERENCE_USED = 83
    NOT_PAYEE = 84
    PRINCIPAL_MISMATCH = 85
    NOT_PAYER = 86
    RECOVERY_PENDING = 87
    NOT_SPONSOR = 88
    RECOVERY_NOT_FOUND = 89

    DEBIT_NOT_FOUND = 90
    CREDIT_NOT_FOUND = 91
    UNIT_NOT_FOUND = 92
    HOLD_NOT_FOUND = 93
    PRINCIPAL_NOT_FOUND = 94
    KEY_NOT_FOUND = 95
    ACCOUNT_NOT_FOUND = 96
    CARD_NOT_FOUND = 97
    CHANNEL_NOT_FOUND = 98
    CITED_NOT_FOUND = 99

    KEY_EXISTS = 100
    NAME_EXISTS = 101
    UNIT_EXISTS = 102
    RELATION_EXISTS = 103

    MANDATE_NOT_FOUND = 104
    QUOTE_NOT_FOUND = 105
    MANDATE_ENDED = 106
    QUOTE_EXPIRED = 107
    MANDATE_EXCEEDED = 108
    BAD_QUOTE = 109
    ACCOUNT_FROZEN = 110
    ACCOUNT_CLOSED = 111
    UNIT_MISMATCH = 112
    ISSUANCE_ACCOUNT = 113
    ACCOUNT_NOT_EMPTY = 114
    ACCOUNT_STATE = 115
    LAST_OWNER_KEY = 116
    KEY_STATE = 117
    GRANT_ACCOUNT = 118

    HOLD_EXPIRED = 120
    HOLD_ENDED = 121
    CAPTURE_LOWERED = 122
    CAPTURE_EXCEEDS_HOLD = 123
    EXPIRY_INVALID = 124
    CHANNEL_ENDED = 125
    VOUCHER_LOWERED = 126
    CHANNEL_EXHAUSTED = 127
    BAD_VOUCHER = 128
    CHANNEL_CLOSING = 129

    NAME_NOT_FOUND = 130
    CARD_STATE = 131
    LINE_COUNT_MISMATCH = 132
    LINES_ROOT_MISMATCH = 133
    LINES_OVERLAP = 134
    NOTICE_TOO_SHORT = 135
    NOT_PROVIDER = 136
    CARD_NOT_EFFECTIVE = 137
    HOLD_MODE = 138
    PRICE_NOT_AGREED = 139

    LIMIT_EXCEEDED = 140
    CAP_EXCEEDED = 141
    UNPRICED = 142
    PRICE_MISMATCH = 143
    QUOTE_EXCEEDED = 144
    ZONE_HORIZON = 145
    ZONE_NOT_FOUND = 146
    ZONE_STATE = 147
    LIMIT_WIDENED = 148
    DELEGATION_INVALID = 149

    INSUFFICIENT_FUNDS = 150
    FUNDS_HELD = 151
    AMOUNT_OVERFLOW = 152
    CREDIT_IN_USE = 153
    CLAIM_NOT_FOUND = 154
    CLAIM_OPEN = 155
    CLAIM_ENDED = 156
    CLAIM_EXCEEDS = 157
    CITED_NOT_PRICED = 158
    PRICE_NOT_LOWER = 159

    CORRECTION_EXCEEDS = 160
    CORRECTION_TOO_LATE = 161
    DISPUTE_NOT_FOUND = 162
    DISPUTE_OPEN = 163
    DISPUTE_ANSWERED = 164
    DISPUTE_LAPSED = 165
    ANSWER_EXCEEDS = 166
    CITATIONS_FULL = 167
    MAKER_CANNOT_PAY = 168

    GRANT_NOT_FOUND = 170
    LIST_NOT_FOUND = 171
    GRANT_ENDED = 172
    DOUBLE_SUBSIDY = 173
    SELF_DECLARED = 174
    RELATION_NOT_FOUND = 175
    UNIT_DEFERRED = 180
    UNIT_NOT_DEFERRED = 181
    NOT_A_MEMBER = 182
    WINDOW_STATE = 183
    POSITIONS_MISMATCH = 184
    MEMBER_CAN_PAY = 185
    MEMBER_FAILED = 186
    SETTLEMENT_TAKEN = 187

    @property
    def is_refusal(self) -> bool:
        """Whether the attempt was refused before ordering and left no trace in the ledger."""
        return 0 < self < FIRST_RESULT_CODE

    @property
    def meaning(self) -> str:
        """What happened, in a sentence."""
        return _TEXTS[self][0]

    @property
    def advice(self) -> str:
        """What the caller can do about it, in a sentence."""
        return _TEXTS[self][1]


_FIX_REQUEST: Final = "Correct the request and send it in a new envelope."
_RETRY: Final = "Send the same bytes again later: the same envelope is never applied twice."
_NEW_ENVELOPE: Final = "If it is still wanted, send it in a new envelope with a new id."

_TEXTS: Final[dict[Code, tuple[str, str]]] = {
    Code.OK: ("It is done.", "Nothing to do."),
    Code.MALFORMED: ("The bytes do not follow the format.", "Correct the program that made them."),
    Code.WRONG_LEDGER: (
        "The envelope names another ledger.",
        "Use the genesis of the ledger you talk to.",
    ),
    Code.BAD_ROOT: (
        "The records root does not match the records.",
        "Send the bytes exactly as they were sealed.",
    ),
    Code.BAD_SIGNATURE: (
        "The signature does not verify.",
        "Sign the header with the key that it names.",
    ),
    Code.BAD_KEY: (
        "A key to register is not canonically encoded or not of prime order.",
        "Make a new key with a standard Ed25519 library.",
    ),
    Code.BAD_POSSESSION: (
        "The proof that the new key is possessed does not verify.",
        "Sign it with the new key, for this ledger and this principal.",
    ),
    Code.BAD_ID_TIME: (
        "The envelope expires before its id was made, or lives too long.",
        "Make the id now; expire no later than the ledger's maximum lifetime allows.",
    ),
    Code.ID_IN_FUTURE: (
        "The envelope id was made more than 5 s ahead of log time.",
        "Correct your clock, or wait and send the same bytes again.",
    ),
    Code.UNKNOWN_SIGNER: (
        "The signer's key is not registered as far as this node has applied.",
        "If it was registered just now, send the same bytes again; else register it.",
    ),
    Code.TOO_LATE: ("The envelope has expired.", _NEW_ENVELOPE),
    Code.OVERLOADED: ("There is no room now.", "Send the same bytes after the stated delay."),
    Code.NOT_LEADER: ("This node does not lead.", "Send the same bytes to the stated leader."),
    Code.TOO_LARGE: ("The message is above 1 MiB.", "Split it at envelope boundaries."),
    Code.UNAVAILABLE: ("There is no leader now, or the node is shutting down.", _RETRY),
    Code.DUPLICATE: (
        "The same envelope was ordered before.",
        "Take the results of its first ordering.",
    ),
    Code.ID_CONFLICT: (
        "Another envelope has used up this id.",
        "Never reuse an id; make a new one, once you know what the other envelope did.",
    ),
    Code.EXPIRED: ("The envelope had expired when it was ordered.", _NEW_ENVELOPE),
    Code.UNKNOWN_KEY: ("There is no such key in the ledger.", "Register the key first."),
    Code.ATOMIC_ABORTED: (
        "Another record of the ATOMIC envelope failed, so this one was undone.",
        "Look at the result of the record that `detail` names.",
    ),
    Code.UNKNOWN_KIND: ("There is no such kind of record.", _FIX_REQUEST),
    Code.UNKNOWN_FLAGS: ("The kind does not have this flag.", _FIX_REQUEST),
    Code.RESERVED_NONZERO: ("A byte that must be zero is not.", _FIX_REQUEST),
    Code.CONT_NOT_ALLOWED: ("The kind takes no CONT, or not so many.", _FIX_REQUEST),
    Code.BAD_FIELD: ("A value is outside its enumeration or range.", _FIX_REQUEST),
    Code.ZERO_AMOUNT: ("The amount is zero.", "Name an amount of at least 1."),
    Code.SELF_TRANSFER: ("Both sides are one account.", "Name two different accounts."),
    Code.KEY_REVOKED: ("The signing key was revoked.", "Sign with another key."),
    Code.KEY_EXPIRED: ("The signing key's time is over.", "Sign with another key."),
    Code.SCOPE_DENIED: (
        "The signing key's scope does not cover this.",
        "Sign with a key of a scope that does.",
    ),
    Code.REFERENCE_USED: (
        "A record with this UNIQUE reference was accepted within the window.",
        "Look the earlier record up: this one is probably a repetition.",
    ),
    Code.NOT_PAYEE: ("Only the payee may do this.", "Ask the payee, or wait for the expiry."),
    Code.PRINCIPAL_MISMATCH: (
        "The principal id in the record is not the one that it must be.",
        "Compute it from the envelope id and the record's index, or take the signer's.",
    ),
    Code.NOT_PAYER: ("Only the payer may do this.", "Ask the payer."),
    Code.RECOVERY_PENDING: (
        "A recovery of the principal is pending already.",
        "Wait until it is due, or end it with VETO: that revokes the key that began it, too.",
    ),
    Code.NOT_SPONSOR: ("Only the sponsor of the grant may do this.", "Ask the sponsor."),
    Code.RECOVERY_NOT_FOUND: (
        "No recovery to this key is pending, or its time has come.",
        "Read what is pending; a recovery that has taken effect cannot be taken back.",
    ),
    Code.DEBIT_NOT_FOUND: (
        "The signer has no such account to debit.",
        "Check the account id and which key signs.",
    ),
    Code.CREDIT_NOT_FOUND: ("There is no such account to credit.", "Check the account id."),
    Code.UNIT_NOT_FOUND: (
        "There is no such unit, or the signer is not its issuer.",
        "Check the unit id and which key signs.",
    ),
    Code.HOLD_NOT_FOUND: (
        "There is no such hold of the signer, or it was forgotten since.",
        "Check the hold id and which key signs.",
    ),
    Code.PRINCIPAL_NOT_FOUND: ("There is no such principal.", "Register it, or check the id."),
    Code.KEY_NOT_FOUND: ("The principal has no such key.", "Check the public key."),
    Code.ACCOUNT_NOT_FOUND: (
        "There is no such account, or it is not the signer's.",
        "Check the account id and which key signs.",
    ),
    Code.CARD_NOT_FOUND: (
        "There is no such published card, or no such draft of the signer.",
        "Check the card id; a draft that was not published within a day is forgotten.",
    ),
    Code.CHANNEL_NOT_FOUND: (
        "There is no such channel of the signer, or it was forgotten since.",
        "Check the channel id and which key signs.",
    ),
    Code.CITED_NOT_FOUND: (
        "There is no such earlier record that paid to or from the signer.",
        "Cite the sequence number of a TRANSFER, CAPTURE, METER or VOUCHER that paid.",
    ),
    Code.KEY_EXISTS: (
        "The key is registered already; it belongs to one principal for ever.",
        "Make a new key.",
    ),
    Code.NAME_EXISTS: ("The name is registered already.", "Use the registered one."),
    Code.UNIT_EXISTS: ("The symbol is taken.", "Choose another symbol."),
    Code.RELATION_EXISTS: (
        "The registrar states this relation already.",
        "Nothing to do: it is in force.",
    ),
    Code.MANDATE_NOT_FOUND: (
        "There is no such mandate of the signer, or it was forgotten since.",
        "Check the mandate's id and which key signs.",
    ),
    Code.QUOTE_NOT_FOUND: (
        "No such quote for the payer was redeemed, or it is forgotten.",
        "Send the quote itself along the first time; check who it is for.",
    ),
    Code.QUOTE_EXPIRED: ("The quote's time is over.", "Ask the provider for a new one."),
    Code.BAD_QUOTE: (
        "No good key of whoever makes the quote has signed it: OWNER or PRICE; of exchanges SPEND.",
        "Ask for a new one, and verify it when it arrives.",
    ),
    Code.QUOTE_EXCEEDED: (
        "The amount is above what is left of the quote's cap.",
        "Agree to less, or ask the provider for a new one.",
    ),
    Code.MANDATE_ENDED: (
        "The mandate was ended, or its time is over.",
        "Ask the payer for a new one.",
    ),
    Code.MANDATE_EXCEEDED: (
        "The amount is above what the mandate allows for one charge, or for all.",
        "Ask the payer for a larger mandate, or to sign this itself.",
    ),
    Code.ACCOUNT_FROZEN: ("The account is frozen.", "Its owner can unfreeze it."),
    Code.ACCOUNT_CLOSED: ("The account is closed, for good.", "Use another account."),
    Code.UNIT_MISMATCH: ("The accounts hold different units.", "Use accounts of one unit."),
    Code.ISSUANCE_ACCOUNT: (
        "It is a unit's issuance account, which only ISSUE and BURN move.",
        "Use an ordinary account.",
    ),
    Code.ACCOUNT_NOT_EMPTY: (
        "The account holds something, or something is pending.",
        "Empty it and wait for its holds to end.",
    ),
    Code.ACCOUNT_STATE: (
        "The account is frozen already, or it is not frozen.",
        "Nothing to do: it is in the state that was asked for.",
    ),
    Code.LAST_OWNER_KEY: (
        "It is the principal's last OWNER key.",
        "Add another OWNER key first, or rotate this one.",
    ),
    Code.KEY_STATE: (
        "The key is revoked already, or the channel key's time is over.",
        "If it was to be revoked: nothing to do. For a channel name a key that is still good.",
    ),
    Code.GRANT_ACCOUNT: (
        "It is the account of a grant, which only holds of its grantee and its end move.",
        "Use an ordinary account; a grant pays by itself where it fits.",
    ),
    Code.HOLD_EXPIRED: ("The hold has expired.", "Ask the payer for a new one."),
    Code.HOLD_ENDED: ("The hold was captured or released.", "Read it to see what it paid."),
    Code.CAPTURE_LOWERED: (
        "The cumulative amount is below what is captured.",
        "Name the sum so far: captures are cumulative and never go down.",
    ),
    Code.CAPTURE_EXCEEDS_HOLD: (
        "The cumulative amount is above the hold's maximum and debt limit.",
        "Capture at most that; ask the payer for a hold on the rest.",
    ),
    Code.EXPIRY_INVALID: (
        "The time is too soon or too far.",
        "Choose one within the ledger's bounds, seen from its log time.",
    ),
    Code.CHANNEL_ENDED: ("The channel is closed.", "Ask the payer for a new one."),
    Code.VOUCHER_LOWERED: (
        "The cumulative amount is below the highest that was redeemed.",
        "Redeem the latest voucher: amounts are cumulative and never go down.",
    ),
    Code.CHANNEL_EXHAUSTED: (
        "The deposit is paid out.",
        "Ask the payer to top the channel up, then redeem the same voucher again.",
    ),
    Code.BAD_VOUCHER: (
        "The voucher is not signed by the channel's key, for this channel and amount.",
        "Ask the payer for a voucher that verifies; check each one when it arrives.",
    ),
    Code.CHANNEL_CLOSING: (
        "The payer is closing the channel already.",
        "Wait for the end of its challenge period, then open a new one.",
    ),
    Code.NAME_NOT_FOUND: (
        "There is no such NAME of this kind.",
        "Register the model, meter, tier or region first, or check its id.",
    ),
    Code.CARD_STATE: (
        "The card is published already, or was superseded already.",
        "Draft a new card: a published one never changes.",
    ),
    Code.LINE_COUNT_MISMATCH: (
        "The card has more or fewer lines than its draft says.",
        "Send exactly the lines that the draft counts.",
    ),
    Code.LINES_ROOT_MISMATCH: (
        "The lines are not those that the draft commits to, or in another order.",
        "Draft the card anew with the root over its lines.",
    ),
    Code.LINES_OVERLAP: (
        "Another line of the card prices the same minute of the same band.",
        "Change the window or the threshold of one of them.",
    ),
    Code.NOTICE_TOO_SHORT: (
        "The card would be effective before its notice period has passed.",
        "Draft it with a later time: at least 60 s after it is published.",
    ),
    Code.NOT_PROVIDER: (
        "The payee is not the owner of the card or quote.",
        "Name an account of the provider whose prices these are.",
    ),
    Code.CARD_NOT_EFFECTIVE: (
        "The card is not effective yet, or was superseded.",
        "Wait for its time, or take the card that superseded it.",
    ),
    Code.HOLD_MODE: (
        "The capture does not fit how the hold is priced.",
        "Send usage for a priced hold, and none for a flat one.",
    ),
    Code.PRICE_NOT_AGREED: (
        "The tier or region is not one that the hold permits, or the card not the mandate's.",
        "Serve within what the payer agreed to, or ask for another hold or mandate.",
    ),
    Code.LIMIT_EXCEEDED: (
        "A limit of the key, of one above it, of the account, principal or payee has no room.",
        "`detail` says which: wait for its next window, or have an OWNER key raise it.",
    ),
    Code.CAP_EXCEEDED: (
        "The principal or the card is at a cap, of the genesis or of the format.",
        "Free something of that kind, or spread the work over more principals.",
    ),
    Code.UNPRICED: (
        "The card or quote has no price for this model or for a meter that was used.",
        "Publish a card, or sign a quote, with a line for it: what has no price is not free.",
    ),
    Code.PRICE_MISMATCH: (
        "The usage costs, or the exchange quote gives, another amount than the one expected.",
        "Price it by the card or quote, at the time of the hold or METER; exchanges round down.",
    ),
    Code.ZONE_HORIZON: (
        "The table of the limit's zone does not say when the window ends.",
        "Have an operator publish a newer table of the zone.",
    ),
    Code.ZONE_NOT_FOUND: (
        "There is no such zone.",
        "Have an operator publish it, or use UTC.",
    ),
    Code.ZONE_STATE: (
        "The version is not the one that follows the table in force.",
        "Read the table again and send the next version.",
    ),
    Code.LIMIT_WIDENED: (
        "A SPEND key may only narrow a limit.",
        "Name at most the amount in force and the same zone, or sign with an OWNER key.",
    ),
    Code.DELEGATION_INVALID: (
        "The key would stand above itself, or have more than four above it.",
        "Choose a parent that is higher up.",
    ),
    Code.INSUFFICIENT_FUNDS: (
        "The amount is above what is available and held together.",
        "Credit the account first.",
    ),
    Code.FUNDS_HELD: (
        "There would be enough, but holds pin it.",
        "Try again in a new envelope when a hold has ended.",
    ),
    Code.AMOUNT_OVERFLOW: (
        "A column of an account would leave 128 bits.",
        "Use a unit with fewer decimals, or a smaller credit limit.",
    ),
    Code.CREDIT_IN_USE: (
        "The account uses more than the new credit limit.",
        "Set it to at least what the account owes, pending debits included.",
    ),
    Code.CLAIM_NOT_FOUND: (
        "There is no claim of or against the signer under this id, or it was forgotten since.",
        "Check the id, which is that of the hold, and which key signs.",
    ),
    Code.CLAIM_OPEN: (
        "The payee has an open claim against the payer's account.",
        "Pay the claim first, or ask the payee to waive it.",
    ),
    Code.CLAIM_ENDED: (
        "The claim was paid or waived already.",
        "Nothing to do.",
    ),
    Code.CLAIM_EXCEEDS: (
        "It is more than what is left of the claim.",
        "Pay at most the rest.",
    ),
    Code.CITED_NOT_PRICED: (
        "No card or quote priced the cited record.",
        "Cite a priced CAPTURE or a METER; send a REFUND to give back of anything else.",
    ),
    Code.PRICE_NOT_LOWER: (
        "With what was given back before, the record cost no more than the new price.",
        "Nothing to do: a re-pricing only gives back.",
    ),
    Code.CORRECTION_EXCEEDS: (
        "It is more than what is left of the amount that the cited record moved.",
        "Correct at most the rest: refunds and accepted disputes count together.",
    ),
    Code.CORRECTION_TOO_LATE: (
        "The cited record is older than the window of corrections.",
        "Send a TRANSFER instead.",
    ),
    Code.DISPUTE_NOT_FOUND: (
        "There is no dispute of the signer about this record, or it was forgotten since.",
        "Check the sequence number and which key signs.",
    ),
    Code.DISPUTE_OPEN: (
        "The record is disputed already.",
        "Wait for the answer, or for the deadline.",
    ),
    Code.DISPUTE_ANSWERED: (
        "The dispute was answered already.",
        "Send a REFUND to give back more.",
    ),
    Code.DISPUTE_LAPSED: (
        "The deadline of the dispute has passed, which rejected it.",
        "Send a REFUND to give something back all the same.",
    ),
    Code.ANSWER_EXCEEDS: (
        "It is more than what is disputed.",
        "Accept at most that; send a REFUND to give back more.",
    ),
    Code.CITATIONS_FULL: (
        "The block cites more records than are looked up for one.",
        "Send it again in a new envelope.",
    ),
    Code.MAKER_CANNOT_PAY: (
        "The maker of the exchange quote has not the funds, or its limits have no room.",
        "Exchange less, try again later, or take another quote.",
    ),
    Code.GRANT_NOT_FOUND: (
        "There is no such grant by or to the signer, or it was forgotten since.",
        "Check the grant id and which key signs.",
    ),
    Code.LIST_NOT_FOUND: (
        "There is no such list of providers, models or regions.",
        "Make the LIST first, or check its id; zero permits all.",
    ),
    Code.GRANT_ENDED: (
        "The grant has expired, or was clawed back.",
        "Nothing to do: what no hold pins is back already, the rest follows by itself.",
    ),
    Code.DOUBLE_SUBSIDY: (
        "A live grant to the same principal has this exclusivity key.",
        "Wait for its end, or agree with its sponsor.",
    ),
    Code.SELF_DECLARED: (
        "The registrar is a party of the relation, or the one that the grant is for.",
        "Name a registrar who is neither.",
    ),
    Code.RELATION_NOT_FOUND: (
        "The signer states no relation between these two.",
        "Check both principals and which key signs.",
    ),
    Code.UNIT_DEFERRED: (
        "The unit is one of obligations: nobody issues, burns, lends or exchanges it.",
        "Name a unit that is not deferred; who takes part in netting sends JOIN.",
    ),
    Code.UNIT_NOT_DEFERRED: (
        "The unit is not one of obligations: there is nothing to net.",
        "Name a deferred unit, or an account in one.",
    ),
    Code.NOT_A_MEMBER: (
        "The account has not joined the netting of its unit.",
        "Its owner sends JOIN first.",
    ),
    Code.WINDOW_STATE: (
        "The window is not the open one, not the closed one, or another waits for settlement.",
        "Read the state of netting, and name the window that is due.",
    ),
    Code.POSITIONS_MISMATCH: (
        "The net positions of the window are others than the ones expected.",
        "Read them again: a member may have failed since.",
    ),
    Code.MEMBER_CAN_PAY: (
        "Nothing keeps this member from settling its position.",
        "Send SETTLE; a member can be failed only while it stands in the way.",
    ),
    Code.MEMBER_FAILED: (
        "The member failed to settle, and still owes.",
        "Settle what it owes in a later window first.",
    ),
    Code.SETTLEMENT_TAKEN: (
        "The settlement account serves another member of the unit already.",
        "Name a settlement account of its own for each.",
    ),
}

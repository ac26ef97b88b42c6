"""Records, envelopes and blocks as raw bytes, right or wrong: what the format's table says.

The encoders of `tallystick_ledger` refuse to make nonsense, which is what most of these tests are
about. Here every field takes any value that its bytes can hold. Signatures are filled with noise,
because applying a block does not verify them; ids, counts, roots and offsets are right.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tallystick_ledger.merkle import root_of, root_of_hashes

RECORD_BYTES: Final = 128
NONCE: Final = b"nonce of a test."
ZERO_ID: Final = bytes(16)
UNIQUE: Final = 1
FINAL: Final = 2
FREE: Final = 4
SAME_AS: Final = 8
DEFERRED: Final = 16

PRINCIPAL: Final = 0x0101
KEY: Final = 0x0102
NAME: Final = 0x0103
LIST: Final = 0x0104
ACCOUNT: Final = 0x0105
RECOVER: Final = 0x0106
VETO: Final = 0x0107
UNIT: Final = 0x0201
ISSUE: Final = 0x0202
BURN: Final = 0x0203
CREDIT_LIMIT: Final = 0x0204
TRANSFER: Final = 0x0301
RESERVE: Final = 0x0401
EXTEND: Final = 0x0402
CAPTURE: Final = 0x0403
RELEASE: Final = 0x0404
METER: Final = 0x0405
MANDATE: Final = 0x0406
MANDATE_END: Final = 0x0407
PAY_CLAIM: Final = 0x0408
CHANNEL: Final = 0x0501
TOP_UP: Final = 0x0502
VOUCHER: Final = 0x0503
CHANNEL_CLOSE: Final = 0x0504
CARD: Final = 0x0601
PRICE: Final = 0x0602
CARD_PUBLISH: Final = 0x0603
GRANT: Final = 0x0701
CLAW_BACK: Final = 0x0702
RELATION: Final = 0x0703
LIMIT: Final = 0x0801
ZONE: Final = 0x0802
DELEGATE: Final = 0x0803
KILL: Final = 0x0804
REFUND: Final = 0x0901
DISPUTE: Final = 0x0902
DISPUTE_ANSWER: Final = 0x0903
REPRICE: Final = 0x0904
TICK: Final = 0x0A01
JOIN: Final = 0x0B01
WINDOW_CLOSE: Final = 0x0B02
SETTLE: Final = 0x0B03
FAIL: Final = 0x0B04
CONT: Final = 0xFFFF

ADD, REVOKE, ROTATE = 1, 2, 3
OPEN, FREEZE, UNFREEZE, CLOSE = 1, 2, 3, 4
OWNER, SPEND, METER_SCOPE, NODE, OPERATE = 1, 2, 3, 4, 5
PRICE_SCOPE, READ, AUDIT, RECOVERY, CHANNEL_SCOPE = 6, 7, 8, 9, 10
MODEL_NAME, METER_NAME, REGION_NAME, TIER_NAME = 1, 2, 4, 5
REJECT, CAP, DEBT = 1, 2, 3
OF_KEY, OF_ACCOUNT, OF_PRINCIPAL, OF_PAYEE = 1, 2, 3, 4
DAY, MONTH, TOTAL, HELD = 1, 2, 3, 4
SET, END = 1, 2
NO_KEY: Final = bytes(32)
OFFSET_BIAS_S: Final = 86_400
PAY, WAIVE = 1, 2
ALWAYS: Final = (0, 1440, 0x7F)

_ENVELOPE: Final = struct.Struct("<4sHHHHI32s32s16sQ32s56x")
_BLOCK: Final = struct.Struct("<4sHHQQIII28x")


def u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def u128(value: int) -> bytes:
    return value.to_bytes(16, "little")


def head(kind: int, flags: int, parts: dict[int, bytes], cont_count: int = 0) -> bytes:
    """128 bytes with `parts` at their offsets; a nonce unless a part lies there."""
    record = bytearray(RECORD_BYTES)
    record[112:128] = NONCE
    record[0:6] = u16(kind) + u16(flags) + u16(cont_count)
    for offset, content in parts.items():
        record[offset : offset + len(content)] = content
    return bytes(record)


def principal(
    principal_id: bytes, key: bytes, principal_type: int = 1, possession: bytes = b"\x01" * 64
) -> bytes:
    parts = {6: u16(principal_type), 8: key, 40: possession, 104: principal_id, 120: bytes(8)}
    return head(PRINCIPAL, 0, parts)


def key(
    operation: int,
    key_bytes: bytes,
    principal_id: bytes,
    *,
    scope: int = 0,
    until_ns: int = 0,
    possession: bytes | None = None,
) -> bytes:
    if possession is None:
        possession = bytes(64) if operation == REVOKE else b"\x01" * 64
    parts = {
        6: bytes((operation, scope)),
        8: key_bytes,
        40: possession,
        104: principal_id,
        120: u64(until_ns),
    }
    return head(KEY, 0, parts)


def account(operation: int, *, unit: bytes = ZERO_ID, account_id: bytes = ZERO_ID) -> bytes:
    return head(ACCOUNT, 0, {6: u16(operation), 8: unit, 24: account_id})


def open_account(unit: bytes) -> bytes:
    return account(OPEN, unit=unit)


def unit(
    issuer: bytes, symbol: bytes, exponent: int = 0, *, settlement: bytes = ZERO_ID, flags: int = 0
) -> bytes:
    parts = {6: bytes((exponent,)), 8: issuer, 24: symbol, 40: settlement}
    return head(UNIT, flags, parts)


def issue(
    unit_id: bytes, credit: bytes, amount: int, reference: int = 0, *, flags: int = 0
) -> bytes:
    return head(ISSUE, flags, {8: unit_id, 24: credit, 40: u128(amount), 56: u128(reference)})


def burn(unit_id: bytes, debit: bytes, amount: int, reference: int = 0, *, flags: int = 0) -> bytes:
    return head(BURN, flags, {8: unit_id, 24: debit, 40: u128(amount), 56: u128(reference)})


def credit_limit(unit_id: bytes, account_id: bytes, limit: int) -> bytes:
    return head(CREDIT_LIMIT, 0, {8: unit_id, 24: account_id, 40: u128(limit)})


def transfer(
    debit: bytes, credit: bytes, amount: int, reference: int = 0, *, flags: int = 0
) -> bytes:
    return head(TRANSFER, flags, {8: debit, 24: credit, 40: u128(amount), 56: u128(reference)})


def reserve(
    payer: bytes,
    payee: bytes,
    maximum: int,
    expires_at_ns: int,
    reference: int = 0,
    *,
    flags: int = 0,
    mode: int = 0,
) -> bytes:
    parts = {
        6: u16(mode),
        8: payer,
        24: payee,
        40: u128(maximum),
        56: u128(reference),
        72: u64(expires_at_ns),
    }
    return head(RESERVE, flags, parts)


def capture(
    hold: bytes, amount: int, *, flags: int = 0, source: int = 1, occurred_at_ns: int = 0
) -> bytes:
    parts = {6: u16(source), 8: hold, 24: u128(amount), 72: u64(occurred_at_ns)}
    return head(CAPTURE, flags, parts)


def release(hold: bytes) -> bytes:
    return head(RELEASE, 0, {8: hold})


def pay_claim(claim: bytes, amount: int, debit: bytes, *, operation: int = PAY) -> bytes:
    parts = {6: u16(operation), 8: claim, 24: u128(amount), 40: debit}
    return head(PAY_CLAIM, 0, parts)


def waive_claim(claim: bytes) -> bytes:
    return pay_claim(claim, 0, ZERO_ID, operation=WAIVE)


def extend(hold: bytes, additional: int = 0, expires_at_ns: int = 0) -> bytes:
    return head(EXTEND, 0, {8: hold, 24: u128(additional), 72: u64(expires_at_ns)})


def channel(
    payer: bytes,
    payee: bytes,
    deposit: int,
    key_bytes: bytes,
    challenge_ns: int,
    reference: int = 0,
    *,
    flags: int = 0,
) -> bytes:
    parts = {
        8: payer,
        24: payee,
        40: u128(deposit),
        56: u128(reference),
        72: u64(challenge_ns),
        80: key_bytes,
    }
    return head(CHANNEL, flags, parts)


def top_up(channel_id: bytes, amount: int) -> bytes:
    return head(TOP_UP, 0, {8: channel_id, 24: u128(amount)})


def voucher(channel_id: bytes, cumulative: int, commitment: bytes, signature: bytes) -> bytes:
    return head(VOUCHER, 0, {8: channel_id, 24: u128(cumulative), 40: commitment, 64: signature})


def channel_close(channel_id: bytes) -> bytes:
    return head(CHANNEL_CLOSE, 0, {8: channel_id})


def limit(
    target: int,
    window: int,
    subject: bytes,
    unit_id: bytes,
    amount: int = 0,
    *,
    zone_id: bytes = ZERO_ID,
    operation: int = SET,
) -> bytes:
    parts = {
        6: bytes((target, window)),
        8: unit_id,
        24: zone_id,
        40: u128(amount),
        72: bytes((operation,)),
        80: subject,
    }
    return head(LIMIT, 0, parts)


def zone(
    name_: bytes,
    version: int,
    from_ns: int,
    horizon_ns: int,
    offset_s: int,
    transitions: Sequence[tuple[int, int]] = (),
) -> bytes:
    """A ZONE with as many CONTs as its transitions need."""
    parts = {
        6: u16(len(transitions)),
        8: name_.ljust(32, b"\0"),
        40: u64(from_ns),
        48: u64(horizon_ns),
        56: version.to_bytes(4, "little"),
        60: (offset_s + OFFSET_BIAS_S).to_bytes(4, "little"),
    }
    content = b"".join(
        u64(at) + (offset + OFFSET_BIAS_S).to_bytes(4, "little") for at, offset in transitions
    )
    return with_conts(head(ZONE, 0, parts), spread(content))


def delegate(key_bytes: bytes, parent: bytes = NO_KEY) -> bytes:
    return head(DELEGATE, 0, {8: key_bytes, 40: parent})


def kill(key_bytes: bytes) -> bytes:
    return head(KILL, 0, {8: key_bytes})


def refund(
    cited: int,
    amount: int,
    reference: int = 0,
    *,
    flags: int = 0,
    reason: int = 2,
    occurred_at_ns: int = 0,
) -> bytes:
    parts = {
        6: u16(reason),
        8: u64(cited),
        24: u128(amount),
        56: u128(reference),
        72: u64(occurred_at_ns),
    }
    return head(REFUND, flags, parts)


def dispute(cited: int, amount: int, deadline_ns: int, *, reason: int = 3) -> bytes:
    parts = {6: u16(reason), 8: u64(cited), 24: u128(amount), 72: u64(deadline_ns)}
    return head(DISPUTE, 0, parts)


def dispute_answer(cited: int, amount: int = 0) -> bytes:
    return head(DISPUTE_ANSWER, 0, {8: u64(cited), 24: u128(amount)})


def reprice(cited: int, amount: int, content: bytes, *, occurred_at_ns: int = 0) -> bytes:
    """A REPRICE with a content of `repriced`."""
    parts = {8: u64(cited), 24: u128(amount), 72: u64(occurred_at_ns)}
    return with_conts(head(REPRICE, 0, parts), spread(content))


def repriced(card_id: bytes, model: bytes, used_content: bytes) -> bytes:
    """The content of the CONTs of a REPRICE."""
    return card_id + model + used_content


def tick() -> bytes:
    return head(TICK, 0, {})


def join(account: bytes, settlement: bytes, maximum: int) -> bytes:
    return head(JOIN, 0, {8: account, 24: settlement, 40: u128(maximum)})


def window_close(unit_id: bytes, window: int) -> bytes:
    return head(WINDOW_CLOSE, 0, {8: unit_id, 24: u64(window)})


def settle(unit_id: bytes, window: int, positions_hash: bytes) -> bytes:
    return head(SETTLE, 0, {8: unit_id, 24: u64(window), 40: positions_hash})


def fail(unit_id: bytes, window: int, account: bytes) -> bytes:
    return head(FAIL, 0, {8: unit_id, 24: u64(window), 40: account})


def cont(payload: bytes) -> bytes:
    return head(CONT, 0, {8: payload})


def with_conts(head_record: bytes, payloads: Sequence[bytes]) -> bytes:
    """Puts CONTs behind a head, and their number and hash into it."""
    conts = b"".join(cont(payload) for payload in payloads)
    record = bytearray(head_record)
    record[4:6] = u16(len(payloads))
    if payloads:
        record[80:112] = hashlib.sha256(b"tallystick/cont/v1\0" + conts).digest()
    return bytes(record) + conts


def name(text: bytes, name_kind: int = 1, length: int | None = None) -> bytes:
    """A NAME with as many CONTs as the text needs."""
    parts = {6: u16(name_kind), 8: u16(len(text) if length is None else length), 16: text[:64]}
    payloads = [text[start : start + 104] for start in range(64, len(text), 104)]
    return with_conts(head(NAME, 0, parts), payloads)


def spread(content: bytes, count: int | None = None) -> list[bytes]:
    """Payloads that hold the content, the last one padded."""
    count = -(-len(content) // 104) if count is None else count
    return [content[104 * at :][:104].ljust(104, b"\0") for at in range(count)]


def card(
    unit_id: bytes,
    effective_from_ns: int,
    line_count: int,
    root: bytes,
    meters: Sequence[bytes] = (),
    supersedes: bytes = ZERO_ID,
) -> bytes:
    parts = {
        6: u16(len(meters)),
        8: unit_id,
        24: u64(effective_from_ns),
        32: line_count.to_bytes(4, "little"),
        40: root,
    }
    return with_conts(head(CARD, 0, parts), spread(supersedes + b"".join(meters)))


def price(
    card_id: bytes,
    model: bytes,
    meter: bytes,
    amount: int,
    *,
    tier: bytes = ZERO_ID,
    region: bytes = ZERO_ID,
    above: int = 0,
    window: tuple[int, int, int] = ALWAYS,
    flags: int = 0,
    same_as: bytes = ZERO_ID,
) -> bytes:
    parts = {8: card_id, 24: model, 40: meter, 56: u128(amount), 72: u64(above)}
    start, end, weekdays = window
    content = tier + region + same_as + u16(start) + u16(end) + bytes((weekdays,))
    return with_conts(head(PRICE, flags, parts), spread(content))


def line_leaf(price_record: bytes) -> bytes:
    """The hash that a PRICE record adds to its card's tree."""
    content = price_record[:80] + price_record[136:240]
    return hashlib.sha256(b"\0" + content).digest()


def lines_root(price_records: Sequence[bytes]) -> bytes:
    return root_of_hashes(line_leaf(record) for record in price_records)


def card_publish(card_id: bytes) -> bytes:
    return head(CARD_PUBLISH, 0, {8: card_id})


def terms(
    card_id: bytes,
    model: bytes,
    tiers: Sequence[bytes] = (),
    regions: Sequence[bytes] = (),
    end_user: bytes = ZERO_ID,
    overrun: int = REJECT,
    debt_limit: int = 0,
) -> bytes:
    """The content of the CONTs of a priced RESERVE."""
    lists = b"".join(tiers).ljust(64, b"\0") + b"".join(regions).ljust(64, b"\0")
    return card_id + model + lists + end_user + u16(overrun) + bytes(6) + u128(debt_limit)


def priced(reserve_record: bytes, content: bytes) -> bytes:
    """A RESERVE of mode CARD with these terms."""
    return with_conts(patched(reserve_record, 6, u16(1)), spread(content, 3))


def usage(
    lines: Sequence[tuple[bytes, int]], tier: bytes = ZERO_ID, region: bytes = ZERO_ID
) -> bytes:
    """The content of the CONTs of the CAPTURE of a priced hold."""
    counted = tier + region + u16(len(lines)) + bytes(6)
    return counted + b"".join(meter + u64(quantity) for meter, quantity in lines)


def used(capture_record: bytes, content: bytes) -> bytes:
    """A CAPTURE with this usage."""
    return with_conts(capture_record, spread(content))


def metered(
    card_id: bytes,
    model: bytes,
    used_content: bytes,
    end_user: bytes = ZERO_ID,
    mandate_id: bytes = ZERO_ID,
) -> bytes:
    """The content of the CONTs of a METER."""
    return card_id + model + mandate_id + end_user + used_content


def meter(
    payer: bytes,
    payee: bytes,
    amount: int,
    content: bytes,
    reference: int = 0,
    *,
    flags: int = 0,
    source: int = 1,
    occurred_at_ns: int = 0,
) -> bytes:
    parts = {
        6: u16(source),
        8: payer,
        24: payee,
        40: u128(amount),
        56: u128(reference),
        72: u64(occurred_at_ns),
    }
    return with_conts(head(METER, flags, parts), spread(content))


def mandate(
    account_id: bytes,
    payee: bytes,
    cap: int,
    cap_each: int,
    expires_at_ns: int,
    card_id: bytes = b"",
) -> bytes:
    parts = {
        8: account_id,
        24: payee,
        40: u128(cap),
        56: u128(cap_each),
        72: u64(expires_at_ns),
    }
    return with_conts(head(MANDATE, 0, parts), spread(card_id))


def mandate_end(mandate_id: bytes) -> bytes:
    return head(MANDATE_END, 0, {8: mandate_id})


def patched(record: bytes, offset: int, content: bytes) -> bytes:
    """The record with some bytes replaced."""
    return record[:offset] + content + record[offset + len(content) :]


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope whose signature nobody has made.

    Attributes:
        signing_key: 32 bytes.
        envelope_id: 16 bytes.
        valid_until_ns: As in the header.
        records: Heads, each with its CONTs.
        atomic: The flag.
    """

    signing_key: bytes
    envelope_id: bytes
    valid_until_ns: int
    records: tuple[bytes, ...]
    atomic: bool = False

    @property
    def record_count(self) -> int:
        return sum(len(record) for record in self.records) // RECORD_BYTES

    def index_of(self, position: int) -> int:
        """The index in the envelope of the head at `position` in `records`."""
        return sum(len(record) for record in self.records[:position]) // RECORD_BYTES

    def encode(self, ledger_id: bytes) -> bytes:
        body = b"".join(self.records)
        header = _ENVELOPE.pack(
            b"TSE1",
            1,
            int(self.atomic),
            1,
            0,
            len(body) // RECORD_BYTES,
            ledger_id,
            self.signing_key,
            self.envelope_id,
            self.valid_until_ns,
            root_of(body, RECORD_BYTES),
        )
        noise = hashlib.sha512(header).digest()
        return header + noise + body


@dataclass(frozen=True, slots=True)
class Block:
    """What goes into a block; its first sequence number is given when it is encoded."""

    timestamp_ns: int
    envelopes: tuple[Envelope, ...] = field(default_factory=tuple)

    @property
    def record_count(self) -> int:
        return sum(envelope.record_count for envelope in self.envelopes)

    def encode(self, ledger_id: bytes, first_sequence_number: int) -> bytes:
        body = b"".join(envelope.encode(ledger_id) for envelope in self.envelopes)
        header = _BLOCK.pack(
            b"TSB1",
            1,
            1,
            self.timestamp_ns,
            first_sequence_number,
            len(self.envelopes),
            self.record_count,
            len(body),
        )
        return header + body

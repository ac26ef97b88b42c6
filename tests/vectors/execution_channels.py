"""Chapters of the story of `execution.json`: EXTEND, keys of the newer scopes, and channels."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.differential import raw
from tests.vectors import fixed
from tests.vectors.fixed import OddSigner, key

from tallystick_ledger import ed25519_zip215 as curve
from tallystick_ledger.ids import ChannelId, PrincipalId, PublicKey
from tallystick_ledger.keys import possession_bytes
from tallystick_ledger.vouchers import sign_voucher, voucher_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.vectors.execution_story import Cast, Story

SECOND_NS: Final = 1_000_000_000
STRANGER: Final = b"\x5a" * 16
COMMITMENT: Final = b"24 bytes of a usage hash"
# Of the channel key that makes signatures which no library makes.
ODD: Final = OddSigner(fixed.SECRET, fixed.ODD_KEY, fixed.R_SCALAR)


def extensions(story: "Story", cast: "Cast") -> None:
    """EXTEND. Bob is the payer from here on."""

    def hold(maximum: int, seconds: int) -> bytes:
        expires_at_ns = story.now_ns + seconds * SECOND_NS
        return raw.reserve(cast.bob_usd, cast.alice_usd, maximum, expires_at_ns)

    made_ns = story.now_ns
    first, second, third = story.send(
        "three holds", cast.bob_key, hold(100, 30), hold(50, 20), hold(10, 60)
    )
    first_ns = made_ns + 30 * SECOND_NS
    balance = story.state.accounts[cast.bob_usd].available  # type: ignore[index]
    story.send(
        "a hold grows, lives longer, both, or is refused",
        cast.bob_key,
        raw.extend(first, 20),
        raw.extend(first, 0, first_ns + SECOND_NS),
        raw.extend(first, 5, first_ns + 2 * SECOND_NS),
        raw.extend(first),
        raw.patched(raw.extend(first, 1), 40, b"\x01"),
        raw.extend(STRANGER, 1),
        raw.extend(first, 0, first_ns),
        raw.extend(first, 0, made_ns + 100 * SECOND_NS + 1),
        raw.extend(first, 0, made_ns + 100 * SECOND_NS),
        raw.extend(first, balance),
        raw.extend(first, balance + 200),
    )
    story.send("only its payer extends it", cast.alice_key, raw.extend(first, 1))
    story.send("strangers see nothing", cast.bank_key, raw.extend(first, 1))
    story.send("one ends", cast.alice_key, raw.release(third), raw.capture(first, 125))
    story.send("what has ended stays so", cast.bob_key, raw.extend(third, 1))
    story.now_ns = made_ns + 20 * SECOND_NS
    story.send("what is due does, too", cast.bob_key, raw.extend(second, 1))
    story.send("the rest goes back", cast.alice_key, raw.release(first))


def scopes(story: "Story", cast: "Cast") -> None:
    """Keys of READ, AUDIT and CHANNEL: who adds them, and what they sign."""
    operator = story.state.keys[cast.operator.public_key].principal
    read, audit, spare = map(key, ("bob reads", "an auditor", "another auditor"))
    story.send(
        "AUDIT keys are the operator's to add",
        cast.operator,
        story.key_record(raw.ADD, audit, operator, scope=raw.AUDIT),
        story.key_record(raw.ADD, spare, operator, scope=raw.AUDIT),
        story.key_record(raw.ADD, read, operator, scope=raw.READ),
        story.key_record(raw.ADD, key("y"), cast.bob, scope=raw.AUDIT),
        story.key_record(raw.REVOKE, spare, operator),
        story.key_record(raw.REVOKE, spare, operator),
        story.key_record(raw.REVOKE, cast.bob_key, operator),
        story.key_record(raw.REVOKE, cast.operator, operator),
        story.key_record(raw.ROTATE, key("y"), operator),
    )
    story.send(
        "the others are the owner's",
        cast.bob_key,
        story.key_record(raw.ADD, key("y"), cast.bob, scope=raw.AUDIT),
        story.key_record(raw.ADD, key("y"), cast.bob, scope=9),
        story.key_record(raw.ADD, read, cast.bob, scope=raw.READ),
    )
    pay = raw.transfer(cast.bob_usd, cast.alice_usd, 1)
    story.send(
        "a READ key signs nothing but its own end",
        read,
        pay,
        story.key_record(raw.REVOKE, read, cast.bob),
    )
    story.send(
        "an AUDIT key as well", audit, story.key_record(raw.ROTATE, key("auditor 2"), operator)
    )


def channels(story: "Story", cast: "Cast") -> None:
    """CHANNEL, TOP_UP, VOUCHER, CHANNEL_CLOSE, and the sweep of what the payer closed."""
    signs = key("bob's vouchers")
    story.send(
        "Bob adds a key for vouchers, and one that is over soon",
        cast.bob_key,
        story.key_record(raw.ADD, signs, cast.bob, scope=raw.CHANNEL_SCOPE),
        story.key_record(
            raw.ADD,
            key("bob's old"),
            cast.bob,
            scope=raw.CHANNEL_SCOPE,
            until_ns=story.now_ns + 2,
        ),
    )

    def opened(
        deposit: int,
        seconds: int = 10,
        by: bytes = signs.public_key,
        reference: int = 0,
        flags: int = 0,
    ) -> bytes:
        accounts = (cast.bob_usd, cast.alice_usd)
        return raw.channel(*accounts, deposit, by, seconds * SECOND_NS, reference, flags=flags)

    def voucher(channel: bytes, amount: int, commitment: bytes = COMMITMENT) -> bytes:
        ids = (story.ledger_id, ChannelId(channel))
        signature = sign_voucher(signs, *ids, amount, commitment)
        return raw.voucher(channel, amount, commitment, signature)

    first, second, *_ = story.send(
        "channels, and what is none",
        cast.bob_key,
        opened(100, reference=77, flags=raw.UNIQUE),
        opened(50, 2),
        opened(1, reference=77, flags=raw.UNIQUE),
        opened(1, flags=raw.UNIQUE),
        opened(0),
        opened(1, 0),
        opened(1, 101),
        opened(1, by=cast.bob_key.public_key),
        opened(1, by=key("nobody's").public_key),
        opened(1, by=key("bob's old").public_key),
        raw.patched(opened(1), 6, b"\x01"),
        raw.patched(opened(1), 8, STRANGER),
        raw.patched(opened(1), 8, cast.alice_usd + cast.bob_usd),
        raw.patched(opened(1), 24, STRANGER),
        raw.patched(opened(1), 24, cast.bob_usd),
        raw.patched(opened(1), 24, cast.alice_eur),
        opened(100_000),
        opened(1),
        opened(1),
    )
    redeems(story, cast, (first, second), voucher)
    closes(story, cast, (first, second), (voucher(first, 121), voucher(second, 10)))


def redeems(
    story: "Story",
    cast: "Cast",
    two: tuple[bytes, bytes],
    voucher: "Callable[..., bytes]",
) -> None:
    """Vouchers of two open channels, good and bad, and a deposit that grows in between."""
    first, second = two
    story.send(
        "vouchers are cumulative",
        cast.alice_key,
        voucher(first, 30),
        voucher(first, 70),
        voucher(first, 70),
        voucher(first, 70, b"another commitment here!"),
        voucher(first, 69),
        voucher(first, 0),
        raw.patched(voucher(first, 80), 24, raw.u128(81)),
        raw.patched(voucher(first, 80), 40, b"?"),
        raw.patched(voucher(first, 80), 7, b"?"),
        raw.patched(voucher(second, 80), 8, first),
        voucher(STRANGER, 1),
        voucher(first, 120),
        voucher(first, 121),
        voucher(first, 120),
    )
    story.send("the payer does not redeem", cast.bob_key, voucher(second, 1))
    story.send("strangers see nothing", cast.bank_key, voucher(second, 1))
    story.send("nor does the payee top up", cast.alice_key, raw.top_up(first, 1))
    story.send(
        "a deposit grows",
        cast.bob_key,
        raw.top_up(first, 15),
        raw.top_up(first, 0),
        raw.top_up(STRANGER, 1),
        raw.top_up(first, 100_000),
        raw.patched(raw.top_up(first, 1), 41, b"\x01"),
    )
    story.send("the same voucher pays the rest", cast.alice_key, *[voucher(first, 120)] * 2)
    story.send(
        "all or none, a close included",
        cast.alice_key,
        voucher(second, 5),
        raw.channel_close(first),
        voucher(first, 130),
        atomic=True,
    )


def closes(
    story: "Story", cast: "Cast", two: tuple[bytes, bytes], vouchers: tuple[bytes, bytes]
) -> None:
    """The payee closes one of two channels of Bob's, the payer the other."""
    first, second = two
    story.send(
        "the payee closes at once",
        cast.alice_key,
        raw.channel_close(first),
        raw.channel_close(first),
        vouchers[0],
        raw.patched(raw.channel_close(second), 24, b"\x01"),
        raw.channel_close(STRANGER),
    )
    story.send("what is closed stays so", cast.bob_key, raw.top_up(first, 1))
    story.send(
        "the payer only announces it",
        cast.bob_key,
        raw.channel_close(second),
        raw.channel_close(second),
        raw.top_up(second, 1),
    )
    closes_at_ns = story.state.channels[ChannelId(second)].closes_at_ns
    story.now_ns = closes_at_ns - 1
    story.send(
        "a voucher in the last nanosecond, and one too late", cast.alice_key, *vouchers[1:] * 2
    )
    story.now_ns += 21 * SECOND_NS
    story.send("closed channels are forgotten", cast.alice_key, *vouchers)


def signatures(story: "Story", cast: "Cast") -> None:
    """Vouchers with signatures that no library makes: the rule is that of envelopes."""
    principal = PrincipalId(cast.bob)
    public_key = PublicKey(fixed.ODD_KEY)
    proof = ODD(possession_bytes(story.ledger_id, principal, public_key))
    record = raw.key(raw.ADD, public_key, principal, scope=raw.CHANNEL_SCOPE, possession=proof)
    story.send("a key for odd signatures", cast.bob_key, record)
    accounts = (cast.bob_usd, cast.alice_usd)
    made = raw.channel(*accounts, 100, public_key, 5 * SECOND_NS)
    channel, *_ = story.send("and its channel", cast.bob_key, made)
    torsion = fixed.TORSION[1]
    signers = (
        ODD,
        replace(ODD, r_torsion=torsion),
        replace(ODD, nonce_scalar=0),
        replace(ODD, nonce_scalar=0, r_bytes=fixed.IDENTITY_PLUS_P),
        replace(ODD, nonce_scalar=0, r_bytes=fixed.IDENTITY_SIGNED),
        replace(ODD, r_bytes=fixed.NOT_A_POINT),
        replace(ODD, s_offset=curve.L),
        replace(ODD, s_offset=1),
        ODD,
    )
    vouchers = []
    for amount, signer in enumerate(signers, 1):
        message = voucher_bytes(story.ledger_id, ChannelId(channel), amount, COMMITMENT)
        vouchers.append(raw.voucher(channel, amount, COMMITMENT, signer(message)))
    story.send("the equation with cofactor; R and S canonical", cast.alice_key, *vouchers)
    revoked = raw.key(raw.REVOKE, public_key, principal)
    story.send("a revoked key opens no channel", cast.bob_key, revoked, made)
    message = voucher_bytes(story.ledger_id, ChannelId(channel), 20, COMMITMENT)
    late = raw.voucher(channel, 20, COMMITMENT, ODD(message))
    story.send("but its channel still pays", cast.alice_key, late)

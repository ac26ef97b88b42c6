"""The chapter of the story of `execution.json` about RECOVER and VETO."""

from typing import TYPE_CHECKING, Final

from tests.differential import raw, raw_recovery
from tests.vectors.fixed import key

from tallystick_ledger.ids import PrincipalId
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.limits import MAX_RECOVERY_NS, MIN_RECOVERY_NS

if TYPE_CHECKING:
    from tests.vectors.execution_story import Cast, Story

HOUR_NS: Final = 3_600 * 1_000_000_000


def _recover(
    story: "Story", new: SigningKey, principal: bytes, delay_ns: int = MIN_RECOVERY_NS
) -> bytes:
    proof = prove_possession(new, story.ledger_id, PrincipalId(principal))
    return raw_recovery.recover(new.public_key, principal, delay_ns, proof)


def recovery(story: "Story", cast: "Cast") -> None:
    """Dora vetoes a thief; then she loses her key, and gets another."""
    dora_key, vault, safe, heir = map(key, ("dora", "dora's vault", "dora's safe", "dora's heir"))
    envelope_id = story.new_id()
    dora = story.derived(cast.operator.public_key, envelope_id, 0)
    registers = story.envelope(
        cast.operator, cast.principal_record(dora, dora_key), envelope_id=envelope_id
    )
    story.apply("an operator registers Dora", registers)
    spare = key("dora's second key")
    story.send(
        "two RECOVERY keys of hers, and another OWNER key",
        dora_key,
        story.key_record(raw.ADD, vault, dora, scope=raw.RECOVERY),
        story.key_record(raw.ADD, safe, dora, scope=raw.RECOVERY),
        story.key_record(raw.ADD, spare, dora, scope=raw.OWNER),
    )
    recover = _recover(story, heir, dora)
    story.send(
        "a thief has the vault",
        vault,
        _recover(story, heir, dora, MIN_RECOVERY_NS - 1),
        _recover(story, heir, dora, MAX_RECOVERY_NS + 1),
        _recover(story, heir, cast.bob),
        _recover(story, dora_key, dora),
        recover,
        recover,
        _recover(story, key("another heir"), dora),
        story.key_record(raw.REVOKE, vault, dora),
        story.key_record(raw.ROTATE, key("another vault"), dora),
        raw_recovery.veto(heir.public_key),
    )
    story.send(
        "Dora vetoes",
        dora_key,
        recover,
        story.key_record(raw.ADD, heir, dora, scope=raw.SPEND),
        story.key_record(raw.REVOKE, vault, dora),
        raw_recovery.veto(vault.public_key),
        raw.patched(raw_recovery.veto(heir.public_key), 40, b"\x01"),
        raw_recovery.veto(heir.public_key),
        raw_recovery.veto(heir.public_key),
    )
    story.send("the vault is no more", vault, recover)
    story.send("her key is lost", safe, recover)
    more = story.key_record(raw.ADD, key("dora's agent"), dora, scope=raw.SPEND)
    story.send("it counts for the cap", dora_key, more)
    due_ns = story.state.recoveries[PrincipalId(dora)].due_ns
    story.now_ns = due_ns - HOUR_NS
    opens = raw.open_account(cast.usd)
    story.send("an hour before", spare, opens)
    story.now_ns = due_ns - 1
    story.send("within an envelope it is due", spare, opens, opens)
    story.send("the new key", heir, opens)
    story.send("and no other", dora_key, raw_recovery.veto(heir.public_key))

"""The executable specification: docs/semantics.md as plain Python, written to be read.

    State.from_genesis(genesis)             the state before the first block
    apply_block(state, block, citations) -> AppliedBlock    results, effects and leaves of a block
    digest(state)                           the state digest

What a block cites of the log before it comes from `tallystick_ledger.citations.Postings`.

A reader starts at `apply`, goes on to `envelopes`, then to the function named like a record's kind:

| module | has |
|---|---|
| `apply`, `envelopes`, `prune` | sections 1 and 2: blocks, envelopes, sweeps, forgetting |
| `dispatch`, `signer`, `refusal` | section 3: the stages that all kinds share |
| `registry` | PRINCIPAL, KEY, NAME, ACCOUNT |
| `units`, `money` | UNIT, ISSUE; TRANSFER |
| `metering` | RESERVE, EXTEND, CAPTURE, RELEASE, the sweep of holds |
| `cards`, `priced` | CARD, PRICE, CARD_PUBLISH; what a priced hold or a METER costs |
| `meters`, `mandates` | METER; MANDATE, MANDATE_END |
| `channels` | CHANNEL, TOP_UP, VOUCHER, CHANNEL_CLOSE, the sweep of channels |
| `grants`, `shares` | LIST, GRANT, CLAW_BACK, RELATION, their sweep; what grants pay of holds |
| `corrections` | REFUND, DISPUTE, DISPUTE_ANSWER |
| `limits`, `spending` | LIMIT, ZONE; what limits count and get back |
| `delegation`, `lines` | DELEGATE, KILL; the keys above a key |
| `netting` | JOIN, WINDOW_CLOSE, SETTLE, FAIL |
| `system` | TICK |
| `accounts`, `amounts` | what the rules ask of accounts; amounts that stay in range |
| `state`, `tables`, `digest` | the state, how it is undone, what covers it |

It is slow and obvious. The kernel in Rust computes the same, and random blocks compare the two.
"""

from tallystick_ledger.spec.apply import AppliedBlock, AppliedEnvelope, BlockError, apply_block
from tallystick_ledger.spec.digest import digest
from tallystick_ledger.spec.state import State

__all__ = [
    "AppliedBlock",
    "AppliedEnvelope",
    "BlockError",
    "State",
    "apply_block",
    "digest",
]

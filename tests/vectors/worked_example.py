"""Renders section 16 of docs/format.md: `python -m tests.vectors.worked_example` rewrites it.

A test renders it again and compares, so the example cannot get old.
"""

import hashlib
from pathlib import Path
from typing import Final

from tallystick_ledger import block, ids, merkle, read_token
from tallystick_ledger.envelope import SIGNATURE_DOMAIN, Envelope, seal
from tallystick_ledger.genesis import Genesis, GenesisNode
from tallystick_ledger.ids import AccountId, LedgerId, PrincipalId, SequenceNumber, TimestampNs
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.leaf import Leaf
from tallystick_ledger.records import Transfer
from tallystick_ledger.results import OK_RESULT

HEADING: Final = "## 16. Worked example\n"
PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "format.md"
TIME_MS: Final = 1_767_225_600_000

INTRODUCTION: Final = """
All bytes are in hexadecimal, 32 a line. The parts are chosen, not random, so that anybody can
compute the rest again: a seed, hash or nonce is one byte repeated.
`tests/vectors/` has many more, also wrong ones.
"""


def render() -> str:
    """Returns the whole section."""
    operator, payer, node, cosigner = (SigningKey(bytes([byte]) * 32) for byte in range(1, 5))
    genesis = Genesis(
        random_bytes=b"\x06" * 32,
        origin="example.org/ledger",
        operators=[operator.public_key],
        nodes=[GenesisNode(1, b"\x05" * 32, node.public_key, cosigner.public_key)],
    )
    ledger_id = genesis.ledger_id
    principal = PrincipalId(b"\x07" * 16)
    envelope_id = ids.new_envelope_id(TIME_MS, b"\x08" * 10)
    record = Transfer(
        AccountId(b"\x0a" * 16), AccountId(b"\x0b" * 16), 1_000_000_000, reference=12
    ).encode(b"\x0c" * 16)
    valid_until = TimestampNs((TIME_MS + 60_000) * 1_000_000)
    envelope = Envelope.parse(seal(payer, ledger_id, envelope_id, valid_until, record))
    timestamp = TimestampNs((TIME_MS + 5) * 1_000_000)
    ordered = block.build([bytes(envelope.data)], timestamp, SequenceNumber(1))
    leaf = Leaf(
        rules_version=1,
        record_count=1,
        first_sequence=SequenceNumber(1),
        timestamp_ns=timestamp,
        header=envelope.header_bytes,
        signature=envelope.signature,
        results_root=merkle.tree_root([OK_RESULT]),
        effects_root=merkle.EMPTY_ROOT,
    )
    return (
        HEADING
        + INTRODUCTION
        + _genesis_part(genesis, (operator, payer, node, cosigner))
        + _ids_part(genesis, principal, payer)
        + _envelope_part(envelope)
        + _block_part(ordered, leaf)
        + _token_part(ledger_id, payer)
    )


def _genesis_part(genesis: Genesis, keys: tuple[SigningKey, ...]) -> str:
    names = ("operator", "payer", "node's ledger key", "node's cosigner key")
    lines = "".join(
        f"| {name} | `{key.seed[:1].hex()}` | `{key.public_key.hex()}` |\n"
        for name, key in zip(names, keys, strict=True)
    )
    return f"""
**Keys.**

| key | each byte of its seed | public key |
|---|---|---|
{lines}
**Genesis** of one operator and one node (Raft id 1, transport identity bytes `05`), random
bytes `06`, origin `example.org/ledger`, times by the defaults of section 3, caps {_caps(genesis)}:

{_dump(genesis.encode())}
Its hash is the **ledger id**: `{genesis.ledger_id.hex()}`.
"""


def _caps(genesis: Genesis) -> str:
    caps = genesis.caps
    return (
        f"live ids {caps.live_ids:,}, accounts {caps.accounts:,}, open holds {caps.open_holds:,},\n"
        f"keys {caps.keys:,}, names {caps.names:,}, references {caps.references:,}"
    )


def _ids_part(genesis: Genesis, principal: PrincipalId, payer: SigningKey) -> str:
    ledger_id = genesis.ledger_id
    envelope_id = ids.new_envelope_id(TIME_MS, b"\x08" * 10)
    rows = (
        ("operator 0", ids.operator_principal(ledger_id, 0)),
        ("node 1", ids.node_principal(ledger_id, 1)),
        (
            f"an envelope made at {TIME_MS:,} ms (2026-01-01), random bytes `08`",
            envelope_id,
        ),
        (
            "object of record 0 in it, signed for principal `07…07`",
            ids.object_id(ledger_id, principal, envelope_id, 0),
        ),
    )
    lines = "".join(f"| {name} | `{value.hex()}` |\n" for name, value in rows)
    possession = prove_possession(payer, ledger_id, principal)
    return f"""
**Ids.**

| of | id |
|---|---|
{lines}
**Proof of possession** of the payer's key for principal `07…07`:

{_dump(possession)}"""


def _envelope_part(envelope: Envelope) -> str:
    root = envelope.header.records_root.hex()
    return f"""
**Record**: TRANSFER of 1,000,000,000 from account `0a…0a` to account `0b…0b`, reference 12,
nonce `0c`:

{_dump(bytes(envelope.records))}
The **records root** of this one record is its leaf hash, `{root}`.

**Header** of an envelope with this record and the id above, signed with the payer's key, valid
for 60 s:

{_dump(envelope.header_bytes)}
Header digest: `{envelope.header_digest.hex()}`.

**Signature** over `"tallystick/envelope/v1\\0"` ({len(SIGNATURE_DOMAIN)} bytes) and the header:

{_dump(envelope.signature)}
The envelope is header, signature and record: {len(envelope.data)} bytes.
"""


def _block_part(ordered: bytes, leaf: Leaf) -> str:
    return f"""
**Block** of this envelope as the first of its ledger, 5 ms later. Its header, which the envelope
follows:

{_dump(ordered[:64])}
SHA-256 of the whole block ({len(ordered)} bytes): `{hashlib.sha256(ordered).hexdigest()}`.

**Leaf**, if the transfer is done (one result of sixteen zero bytes, no effects): the leaf's first
24 bytes, then header and signature as above, then

| root | value |
|---|---|
| results | `{leaf.results_root.hex()}` |
| effects | `{leaf.effects_root.hex()}` |

First 24 bytes: `{leaf.encode()[:24].hex()}`. **Leaf hash**, and root of the log tree of size 1:
`{leaf.leaf_hash().hex()}`.
"""


def _token_part(ledger_id: LedgerId, payer: SigningKey) -> str:
    method, request = "/tallystick.v1.Ledger/GetAccounts", b"\x0a\x10" + b"\x0a" * 16
    expiry = TimestampNs((TIME_MS + 30_000) * 1_000_000)
    token = read_token.sign(payer, ledger_id, method, request, expiry)
    return f"""
**Read token** of the payer for `{method}`. Its request asks for account
`0a…0a`: `{request.hex()}`. It is good until 30 s after the
envelope was made:

{_dump(token.encode())}"""


def _dump(data: bytes) -> str:
    lines = (data[start : start + 32].hex() for start in range(0, len(data), 32))
    return "```text\n" + "".join(f"{line}\n" for line in lines) + "```\n"


def main() -> None:
    """Puts the section at the end of the page, in the place of an older one."""
    text = PAGE.read_text(encoding="utf-8")
    before = text.partition("\n" + HEADING)[0].rstrip("\n")
    PAGE.write_text(f"{before}\n\n{render()}", encoding="utf-8")


if __name__ == "__main__":
    main()

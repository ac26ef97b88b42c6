"""`tallystick show`: an envelope, its records, and what became of each."""

from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import Annotated, Any

import typer

from tallystick.cli.output import Report, Table, describe
from tallystick.cli.session import JsonOption, KeyOption, ProfileOption, receipt_data, session
from tallystick.errors import InvalidArgument
from tallystick.reads import EnvelopeInfo, Presence
from tallystick_ledger.envelope import Envelope
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.ids import EnvelopeId, SequenceNumber
from tallystick_ledger.limits import ID_BYTES
from tallystick_ledger.records import Kind, decode
from tallystick_ledger.results import Effect

app = typer.Typer(help="Show an envelope and what became of it.")

_ABSENT = {
    Presence.NOT_YET: "It is not in the ledger, or not this key's to see; it may still be ordered.",
    Presence.NEVER: "It is not in the ledger and never will be.",
}
# Rows of a bulk envelope that people are shown; `--json` has all.
_SHOWN = 20


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="An envelope id, or a sequence number.")],
    principal: Annotated[
        str,
        typer.Option(help="Whose key signed it, for an id. Default: the principal of who reads."),
    ] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an envelope, its records and their results, by id or by sequence number."""
    by = _parse(what)
    with session(profile, key) as opened:
        whose = opened.book.principal(principal) if principal else None
        info = opened.client.get_envelope(by, principal=whose)
    _report(info).print(as_json=as_json)


def _parse(text: str) -> EnvelopeId | SequenceNumber:
    if len(text) == 2 * ID_BYTES:
        try:
            return EnvelopeId(bytes.fromhex(text))
        except ValueError:
            pass
    if text.isascii() and text.isdigit() and 0 < int(text) < 2**64:
        return SequenceNumber(int(text))
    raise InvalidArgument(
        f"{text!r} is neither an envelope id nor a sequence number.",
        advice="Ids are 32 hexadecimal digits.",
    )


def _report(info: EnvelopeInfo) -> Report:
    if info.presence is not Presence.FOUND:
        return Report({"presence": info.presence.name}, _ABSENT[info.presence])
    envelope = Envelope.parse(info.envelope)
    header = envelope.header
    records = [_record(head.index, bytes(head.data), info) for head in envelope.heads()]
    data: dict[str, Any] = {
        "presence": "FOUND",
        "envelope_id": header.envelope_id.hex(),
        "signer": header.signer.hex(),
        "valid_until_ns": header.valid_until_ns,
        "atomic": header.atomic,
        "receipt": None if info.receipt is None else receipt_data(info.receipt),
        "error": None if info.refusal is None else describe(info.refusal),
        "records": records,
        "effects": [plain_effect(effect) for effect in info.effects],
    }
    rows = [
        (str(record["index"]), record["kind"], record["code"], text_of(record["fields"]))
        for record in records[:_SHOWN]
    ]
    rows += [
        ("", "effect", effect.cause.name, text_of(plain_fields(effect))) for effect in info.effects
    ]
    if info.refusal is not None:
        summary = f"Ordered, but not executed: {info.refusal.message}"
    else:
        receipt = info.receipt
        done = "all done" if receipt is None or receipt.ok else "some refused"
        plural = "" if header.record_count == 1 else "s"
        summary = f"{header.record_count} record{plural}, {done}."
    return Report(
        data,
        summary,
        [
            ("envelope", header.envelope_id.hex()),
            ("signer", header.signer.hex()),
            ("sequence", "-" if info.receipt is None else str(info.receipt.sequence)),
        ],
        Table(("record>", "kind", "result", "fields"), rows),
    )


def _record(index: int, data: bytes, info: EnvelopeInfo) -> dict[str, Any]:
    number = int.from_bytes(data[:2], "little")
    try:
        fields = plain_fields(decode(data))
    except LedgerError as error:
        fields = {"unreadable": str(error)}
    result = None if info.receipt is None else info.receipt[index]
    if result is not None:
        code = result.code.name
    else:
        code = "" if info.refusal is None else info.refusal.code
    return {
        "index": index,
        "kind": Kind(number).name if number in set(Kind) else f"{number:#06x}",
        "code": code,
        "detail": 0 if result is None else result.detail,
        "fields": fields,
    }


def plain_effect(effect: Effect) -> dict[str, Any]:
    """Returns an effect for JSON."""
    return {"cause": effect.cause.name} | plain_fields(effect)


def plain_fields(record: object) -> dict[str, Any]:
    """Returns a record's fields for JSON."""
    if not is_dataclass(record) or isinstance(record, type):
        return {}
    return {name: _value(value) for name, value in asdict(record).items() if name != "cause"}


def _value(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value > 2**53 else value
    if isinstance(value, dict):  # terms or a usage
        return {name: _value(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_value(each) for each in value]
    return value


def text_of(fields: dict[str, Any]) -> str:
    """Returns fields for people, those that say nothing left out."""
    shown = (
        f"{name}={value}" for name, value in fields.items() if value not in (0, False, None, "")
    )
    return "  ".join(shown)

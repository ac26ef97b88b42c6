"""What `tallystick statement --details` prints of models and meters."""

from types import SimpleNamespace
from typing import Any

from tallystick.cli.period import texts_of
from tallystick.cli.statement import _names_in, _rows
from tallystick.statements.posting import Authority, Posting, Side
from tallystick.statements.statement import Columns, Consumed, Statement, break_down
from tallystick_ledger.ids import (
    AccountId,
    NameId,
    PrincipalId,
    SequenceNumber,
    TimestampNs,
    UnitId,
)

ACCOUNT = AccountId(b"\x0a" * 16)
MODEL, IN, OUT, OTHER = (NameId(bytes([each]) * 16) for each in (0x0E, 0x11, 0x12, 0x13))
TEXTS = {MODEL: "m-large", IN: "tokens", OUT: "tokens"}


class _Client:
    """A ledger of three names; two have the same text, as they may by different owners."""

    def __init__(self) -> None:
        self.asked: list[list[NameId]] = []

    def get_names(self, names: list[NameId]) -> dict[NameId, SimpleNamespace]:
        self.asked.append(names)
        return {name: SimpleNamespace(text=TEXTS[name]) for name in names if name in TEXTS}


def session() -> Any:  # noqa: ANN401 - as much of one as is needed
    book = SimpleNamespace(account_name=lambda _: "till", account=bytes.fromhex)
    return SimpleNamespace(client=_Client(), book=book, written=lambda steps, _: str(steps))


def made() -> Statement:
    charge = Posting(
        SequenceNumber(7),
        0,
        TimestampNs(1),
        0,
        "METER",
        Side.DEBIT,
        0,
        +1,
        5,
        Authority.PAYER,
        b"\x0b" * 16,
        model=MODEL,
    )
    usage: dict[tuple[bytes, bytes], Consumed] = {
        (b"", OTHER): Consumed(1, 0, 8),
        (MODEL, IN): Consumed(2, 30, 0),
    }
    return Statement(
        ACCOUNT,
        PrincipalId(b"\x01" * 16),
        UnitId(b"\x02" * 16),
        0,
        9,
        True,
        Columns(),
        Columns(0, 5),
        break_down([charge]),
        usage,
    )


def test_details_name_models_and_meters() -> None:
    opened = session()
    names = texts_of(opened, _names_in([made()]))
    assert opened.client.asked == [[MODEL, IN, OTHER]]
    rows = {row[1:3]: row[3:] for row in _rows(opened, made(), names, details=True)}
    assert rows["model", "m-large"] == ("1", "0", "5", "0")
    assert rows["meter", "tokens of m-large"] == ("2", "0", "30", "")
    assert rows["meter", OTHER.hex()] == ("1", "8", "0", "")


def test_without_details_no_names_are_asked_for() -> None:
    rows = _rows(session(), made(), {}, details=False)
    assert not {row[1] for row in rows} & {"model", "meter"}


def test_names_of_the_same_text_are_told_apart() -> None:
    opened = session()
    assert texts_of(opened, [IN, OUT, MODEL, b""]) == {
        IN: f"tokens {IN.hex()}",
        OUT: f"tokens {OUT.hex()}",
        MODEL: "m-large",
    }
    assert texts_of(opened, [b""]) == {}
    assert len(opened.client.asked) == 1

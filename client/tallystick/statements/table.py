"""Postings and usage as flat tables, for spreadsheets and databases: CSV, partitioned Parquet.

A row is a posting. `amount_steps` and the two changes are in the unit's smallest step: a whole
number; `exponent` says how many of its digits are decimals. The changes are signed, so that their
sums are movements: `posted_steps` of the balance, `pending_debits_steps` and
`pending_credits_steps` of what is on hold.

A second table says what charges were for: a row for each record and meter, `sequence` and `part`
being those of the charge's posting. A quantity is a signed whole number.

Parquet has the layout that DuckDB, Spark and others read as it is: `unit=U/date=D/ACCOUNT.parquet`,
D the UTC day of booking; the second table's is in `_usage/`, which those who read the whole
directory pass over. Amounts are decimal128(38, 0). A u128 may have 39 digits; one that does
not fit is refused, never rounded.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

from tallystick.errors import ConfigurationError, InvalidArgument
from tallystick.statements.posting import Posting, Side
from tallystick.statements.projection import DAY_NS
from tallystick.statements.usage import Usage
from tallystick_ledger.ids import AccountId, PrincipalId

MAX_DECIMAL: Final = 10**38 - 1
_BATCH_ROWS: Final = 50_000  # about 30 MB of Python objects
COLUMNS: Final = (
    "account",
    "owner",
    "sequence",
    "part",
    "timestamp_ns",
    "occurred_at_ns",
    "cause",
    "side",
    "amount_steps",
    "exponent",
    "posted_steps",
    "pending_debits_steps",
    "pending_credits_steps",
    "authority",
    "source",
    "counterparty",
    "origin",
    "end_state",
    "card",
    "grant",
    "model",
    "envelope_id",
    "signer",
    "reference",
)
USAGE_COLUMNS: Final = (
    "account",
    "owner",
    "sequence",
    "part",
    "timestamp_ns",
    "side",
    "origin",
    "model",
    "tier",
    "region",
    "meter",
    "quantity",
)
USAGE_DIRECTORY: Final = "_usage"
_DECIMALS: Final = frozenset({*(name for name in COLUMNS if name.endswith("_steps")), "quantity"})
_INTEGERS: Final = frozenset({"sequence", "timestamp_ns", "occurred_at_ns"})

Row = dict[str, Any]
_Entry = TypeVar("_Entry", Posting, Usage)


@dataclass(frozen=True, slots=True)
class Exported:
    """An account whose postings are exported.

    Attributes:
        account: Its id.
        owner: Its principal.
        unit: The unit's symbol, or its id.
        exponent: The unit's decimals.
        postings: Of the period.
        usages: Of the period.
    """

    account: AccountId
    owner: PrincipalId
    unit: str
    exponent: int
    postings: Iterable[Posting]
    usages: Iterable[Usage] = ()


def row_of(of: Exported, posting: Posting) -> Row:
    """Returns a posting's row, by `COLUMNS`; None where there is no value."""
    pending = posting.pending * posting.amount
    is_debit = posting.side is Side.DEBIT
    return {
        "account": of.account.hex(),
        "owner": of.owner.hex(),
        "sequence": posting.sequence,
        "part": posting.part,
        "timestamp_ns": posting.timestamp_ns,
        "occurred_at_ns": posting.occurred_at_ns or None,
        "cause": posting.cause,
        "side": posting.side.value,
        "amount_steps": posting.amount,
        "exponent": of.exponent,
        "posted_steps": posting.posted_change,
        "pending_debits_steps": pending if is_debit else 0,
        "pending_credits_steps": 0 if is_debit else pending,
        "authority": posting.authority.value,
        "source": posting.source or None,
        "counterparty": posting.counterparty.hex() or None,
        "origin": posting.origin.hex() or None,
        "end_state": posting.end_state or None,
        "card": posting.card.hex() or None,
        "grant": posting.grant.hex() or None,
        "model": posting.model.hex() or None,
        "envelope_id": posting.envelope_id.hex() or None,
        "signer": posting.signer.hex() or None,
        "reference": str(posting.reference) if posting.reference else None,
    }


def usage_row_of(of: Exported, usage: Usage) -> Row:
    """Returns a usage's row, by `USAGE_COLUMNS`; None where there is no value."""
    return {
        "account": of.account.hex(),
        "owner": of.owner.hex(),
        "sequence": usage.sequence,
        "part": usage.part,
        "timestamp_ns": usage.timestamp_ns,
        "side": usage.side.value,
        "origin": usage.origin.hex() or None,
        "model": usage.model.hex() or None,
        "tier": usage.tier.hex() or None,
        "region": usage.region.hex() or None,
        "meter": usage.meter.hex(),
        "quantity": usage.quantity,
    }


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Writes a CSV file, whole or not at all; None becomes an empty field. Returns its rows."""
    count = 0
    temporary = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(row)
            count += 1
    temporary.replace(path)
    return count


def write_csv(path: Path, exported: Iterable[Exported]) -> int:
    """Writes one CSV file with all postings; returns how many."""
    rows = ({"unit": of.unit, **row_of(of, posting)} for of in exported for posting in of.postings)
    return write_rows(path, ("unit", *COLUMNS), rows)


def write_usage_csv(path: Path, exported: Iterable[Exported]) -> int:
    """Writes one CSV file with all usage; returns its rows."""
    rows = ({"unit": of.unit, **usage_row_of(of, each)} for of in exported for each in of.usages)
    return write_rows(path, ("unit", *USAGE_COLUMNS), rows)


def write_parquet(directory: Path, exported: Iterable[Exported], *, overwrite: bool = False) -> int:
    """Writes the partitions that have postings; returns how many postings.

    Raises:
        ConfigurationError: pyarrow is not installed.
        InvalidArgument: A file is there already, or an amount has more than 38 digits.
    """
    return sum(
        _write_partitions(
            directory,
            of,
            of.postings,
            COLUMNS,
            partial(_checked, of),
            overwrite=overwrite,
        )
        for of in exported
    )


def write_usage_parquet(
    directory: Path, exported: Iterable[Exported], *, overwrite: bool = False
) -> int:
    """Writes the partitions that have usage, in `_usage/`; returns its rows.

    Raises:
        ConfigurationError: pyarrow is not installed.
        InvalidArgument: A file is there already.
    """
    return sum(
        _write_partitions(
            directory.joinpath(USAGE_DIRECTORY),
            of,
            of.usages,
            USAGE_COLUMNS,
            partial(usage_row_of, of),
            overwrite=overwrite,
        )
        for of in exported
    )


def _write_partitions(
    directory: Path,
    of: Exported,
    entries: Iterable[_Entry],
    columns: Sequence[str],
    row_of_entry: Callable[[_Entry], Row],
    *,
    overwrite: bool,
) -> int:
    count = 0
    for day, of_day in groupby(entries, lambda each: each.timestamp_ns // DAY_NS):
        date = datetime.fromtimestamp(day * (DAY_NS // 10**9), UTC).date().isoformat()
        place = f"unit={of.unit}", f"date={date}", f"{of.account.hex()}.parquet"
        path = directory.joinpath(*place)
        if path.exists() and not overwrite:
            raise InvalidArgument(f"{path} is there already.", advice="Add --overwrite.")
        count += _write_partition(path, columns, map(row_of_entry, of_day))
    return count


def _write_partition(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> int:
    arrow, parquet = _pyarrow()
    schema = _schema(arrow, columns)
    count = 0
    temporary = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with parquet.ParquetWriter(temporary, schema) as writer:
            for batch in _batches(rows):
                writer.write_table(arrow.Table.from_pylist(batch, schema))
                count += len(batch)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _checked(of: Exported, posting: Posting) -> Row:
    if posting.amount > MAX_DECIMAL:
        raise InvalidArgument(
            f"The amount at record {posting.sequence} has 39 digits: Parquet's decimals have 38.",
            advice="Export it as CSV.",
        )
    return row_of(of, posting)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= _BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _schema(arrow: Any, columns: Sequence[str]) -> Any:  # noqa: ANN401 - pyarrow has no types
    def type_of(name: str) -> Any:  # noqa: ANN401 - as above
        if name in _DECIMALS:
            return arrow.decimal128(38, 0)
        if name in ("part", "exponent"):
            return arrow.int32()
        return arrow.uint64() if name in _INTEGERS else arrow.string()

    return arrow.schema([(name, type_of(name)) for name in columns])


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # noqa: ICN001, PLC0415 - an extra, and slow to load
        import pyarrow.parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Parquet needs {error.name}, which is not installed.",
            advice="Run: pip install 'tallystick[export]'",
        ) from error
    return pyarrow, pyarrow.parquet

"""What a head says where its CONTs are not at hand."""

from dataclasses import replace

import pytest
from tests.ledger.exchange_samples import TAKEN
from tests.ledger.test_records import METERED, NO_CARD, NO_MANDATE, NO_NAME, PRICED, USED

from tallystick_ledger import records
from tallystick_ledger.errors import FieldError


def test_a_head_alone_says_what_stands_in_it() -> None:
    """Histories give heads; what is agreed in CONTs is not there."""
    heads: list[tuple[records.Record, records.Record]] = [
        (PRICED, replace(PRICED, terms=None)),
        (USED, replace(USED, usage=None)),
        (TAKEN, replace(TAKEN, exchange=None)),
        (
            METERED,
            replace(
                METERED,
                card=NO_CARD,
                model=NO_NAME,
                usage=records.ServedUsage(),
                mandate=NO_MANDATE,
            ),
        ),
    ]
    for record, head in heads:
        data = record.encode(b"n" * record.nonce_bytes)
        assert len(data) > 128
        assert records.decode_head(data[:128]) == head
        with pytest.raises(FieldError):
            records.decode(data[:128])
    flat = replace(PRICED, terms=None)
    assert records.decode_head(flat.encode(b"n" * 16)) == flat

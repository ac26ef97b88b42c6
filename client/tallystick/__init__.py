"""The Tallystick SDK: build, sign and submit envelopes, and read what became of them.

    from tallystick import Client

    with Client.from_profile("my-cluster") as client:
        receipt = client.transfer(mine, theirs, 1_500)

`Client` blocks, `AsyncClient` is for asyncio; both have the same methods. Their errors are in
`tallystick.errors`. Names are loaded when they are first used, so that a program (and the
`tallystick` command) pays only for what it needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tallystick.async_client import AsyncClient
    from tallystick.channels import Channel, Redeemed
    from tallystick.client import Client
    from tallystick.draft import Draft
    from tallystick.envelopes import Stored
    from tallystick.errors import (
        LimitExceeded,
        OutcomeUnknown,
        RecordRefused,
        Refused,
        TallystickError,
    )
    from tallystick.exchanges import ExchangeQuote, make_exchange_quote
    from tallystick.history import HistoryFilter, HistoryRecord, Outcome, RecordPage
    from tallystick.holds import Hold
    from tallystick.keyfile import Signer
    from tallystick.profile import Profile
    from tallystick.quotes import Quote, make_quote
    from tallystick.reads import EnvelopeInfo, NodeStatus, Presence
    from tallystick.results import Created, Receipt, RecordResult
    from tallystick.sizing import PastCaptures, RollingP95, WorstCase
    from tallystick.spending import LimitOf
    from tallystick.vouchers import Voucher
    from tallystick_ledger.keys import SigningKey

    __version__: str

_HOMES: Final = {
    "AsyncClient": "tallystick.async_client",
    "Channel": "tallystick.channels",
    "Client": "tallystick.client",
    "Created": "tallystick.results",
    "Draft": "tallystick.draft",
    "EnvelopeInfo": "tallystick.reads",
    "ExchangeQuote": "tallystick.exchanges",
    "HistoryFilter": "tallystick.history",
    "HistoryRecord": "tallystick.history",
    "Hold": "tallystick.holds",
    "LimitExceeded": "tallystick.errors",
    "LimitOf": "tallystick.spending",
    "NodeStatus": "tallystick.reads",
    "Outcome": "tallystick.history",
    "OutcomeUnknown": "tallystick.errors",
    "PastCaptures": "tallystick.sizing",
    "Presence": "tallystick.reads",
    "Profile": "tallystick.profile",
    "Quote": "tallystick.quotes",
    "Receipt": "tallystick.results",
    "RecordPage": "tallystick.history",
    "RecordRefused": "tallystick.errors",
    "RecordResult": "tallystick.results",
    "Redeemed": "tallystick.channels",
    "Refused": "tallystick.errors",
    "RollingP95": "tallystick.sizing",
    "Signer": "tallystick.keyfile",
    "SigningKey": "tallystick_ledger.keys",
    "Stored": "tallystick.envelopes",
    "TallystickError": "tallystick.errors",
    "Voucher": "tallystick.vouchers",
    "WorstCase": "tallystick.sizing",
    "make_exchange_quote": "tallystick.exchanges",
    "make_quote": "tallystick.quotes",
}

__all__ = [
    "AsyncClient",
    "Channel",
    "Client",
    "Created",
    "Draft",
    "EnvelopeInfo",
    "ExchangeQuote",
    "HistoryFilter",
    "HistoryRecord",
    "Hold",
    "LimitExceeded",
    "LimitOf",
    "NodeStatus",
    "Outcome",
    "OutcomeUnknown",
    "PastCaptures",
    "Presence",
    "Profile",
    "Quote",
    "Receipt",
    "RecordPage",
    "RecordRefused",
    "RecordResult",
    "Redeemed",
    "Refused",
    "RollingP95",
    "Signer",
    "SigningKey",
    "Stored",
    "TallystickError",
    "Voucher",
    "WorstCase",
    "__version__",
    "make_exchange_quote",
    "make_quote",
]


def __getattr__(name: str) -> object:
    """Loads a public name from the module that defines it (PEP 562)."""
    if name == "__version__":
        value: object = import_module("importlib.metadata").version("tallystick")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'tallystick' has no attribute {name!r}")
    globals()[name] = value
    return value

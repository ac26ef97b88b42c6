"""Charges as rows of FOCUS 1.2, the FinOps Open Cost and Usage Specification (focus.finops.org).

A row is a charge that an account paid, a captured amount, a redeemed voucher or a paid claim, or
what it was given back by a refund or an accepted dispute: then the costs are below zero. A
TRANSFER, an ISSUE or a BURN says nothing about what it was for, so it is no row; neither is what
was received. Costs are exact decimals in the unit itself. FOCUS bills in national currencies only,
so a unit has to be named after one (ISO 4217); others are refused.

| column | is |
|---|---|
| BillingAccount, SubAccount | the principal that owns the account; the account |
| BillingPeriod | the UTC month of booking |
| ChargePeriod | the second of the usage by its payee, if not after the booking; else of that |
| Provider, Publisher, InvoiceIssuer | the account that was paid |
| PricingQuantity, PricingUnit | 1 charge: it is priced as a whole, of however many meters |
| ChargeClass | `Correction` for what was given back |
| x_Model | what was charged for, where that is known |
| x_Authority | `payer-signed` (vouchers, claims) or `payee-claimed` (captures) |
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tallystick.errors import InvalidArgument
from tallystick.statements.posting import Posting, Side
from tallystick.statements.table import Exported, Row, write_rows

_CHARGES: Final = {
    "CAPTURE": "Captured from hold",
    "METER": "Metered by record",
    "VOUCHER": "Voucher of channel",
    "PAY_CLAIM": "Paid of claim",
}
_CORRECTIONS: Final = {
    "REFUND": "Refunded by record",
    "DISPUTE": "Given back by record",
    "REPRICE": "Priced again by record",
}
COLUMNS: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SubAccountId",
    "SubAccountName",
    "x_AmountSteps",
    "x_Authority",
    "x_Card",
    "x_Cause",
    "x_CaptureSource",
    "x_EnvelopeId",
    "x_Grant",
    "x_Model",
    "x_Origin",
    "x_Sequence",
)
_NS_PER_S: Final = 1_000_000_000
# ISO 4217, the codes that the public FOCUS validator takes.
CURRENCIES: Final = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN
    BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP
    ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK
    JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK
    MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN
    PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB
    TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG
    XAU XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWL
    """.split()  # noqa: SIM905 - a list of 180 short words
)

Names = Callable[[bytes], str]


def write_focus(
    path: Path,
    exported: Iterable[Exported],
    account_name: Names,
    principal_name: Names,
    model_name: Names,
    service: str,
) -> int:
    """Writes the charges of some accounts as CSV; returns how many.

    Args:
        path: The file.
        exported: Whose charges.
        account_name: How an account is called; its id will do.
        principal_name: How a principal is called.
        model_name: How a model is called.
        service: `ServiceName` of all rows.

    Raises:
        InvalidArgument: A charge is in a unit that is no national currency.
    """

    def rows() -> Iterator[Row]:
        for of in exported:
            for posting in of.postings:
                if is_charge(posting):
                    names = account_name, principal_name, model_name
                    yield focus_row(of, posting, names, service)

    return write_rows(path, COLUMNS, rows())


def is_charge(posting: Posting) -> bool:
    """Whether a posting has a row: a charge that was paid, or what came back of one."""
    if posting.side is Side.DEBIT:
        return posting.cause in _CHARGES
    return posting.cause in _CORRECTIONS


def focus_row(
    of: Exported, posting: Posting, names: tuple[Names, Names, Names], service: str
) -> Row:
    """Returns a charge's row, by `COLUMNS`; None where there is no value.

    Args:
        of: Whose charge.
        posting: The charge.
        names: How accounts, principals and models are called.
        service: `ServiceName`.

    Raises:
        InvalidArgument: The unit is no national currency.
    """
    if of.unit not in CURRENCIES:
        raise InvalidArgument(
            f"FOCUS bills in national currencies; the unit {of.unit} is none.",
            advice="Export it as csv or parquet.",
        )
    account_name, principal_name, model_name = names
    is_correction = posting.cause in _CORRECTIONS
    sign = "-" if is_correction else ""
    cost = sign + decimal_text(posting.amount, of.exponent)
    month_start, month_end = _month(posting.timestamp_ns)
    start = _charged_at(posting)
    payee = account_name(posting.counterparty)
    what = (_CORRECTIONS | _CHARGES)[posting.cause]
    # A mandate is behind many charges; it stands in x_Origin.
    by = posting.origin.hex() if posting.cause != "METER" else ""
    return {
        "BilledCost": cost,
        "BillingAccountId": f"principal-{of.owner.hex()}",
        "BillingAccountName": principal_name(of.owner),
        "BillingCurrency": of.unit,
        "BillingPeriodEnd": _instant(month_end),
        "BillingPeriodStart": _instant(month_start),
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if is_correction else None,
        "ChargeDescription": f"{what} {by or posting.sequence}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": _instant(start + timedelta(seconds=1)),
        "ChargePeriodStart": _instant(start),
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "InvoiceIssuerName": payee,
        "ListCost": cost,
        "PricingQuantity": f"{sign}1.0",
        "PricingUnit": "Charges",
        "ProviderName": payee,
        "PublisherName": payee,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": service,
        "ServiceSubcategory": "Generative AI",
        "SubAccountId": f"account-{of.account.hex()}",
        "SubAccountName": account_name(of.account),
        "x_AmountSteps": f"{sign}{posting.amount}",
        "x_Authority": posting.authority.value,
        "x_Card": posting.card.hex() or None,
        "x_Cause": posting.cause,
        "x_CaptureSource": posting.source or None,
        "x_EnvelopeId": posting.envelope_id.hex() or None,
        "x_Grant": posting.grant.hex() or None,
        "x_Model": model_name(posting.model) if posting.model else None,
        "x_Origin": posting.origin.hex() or None,
        "x_Sequence": str(posting.sequence),
    }


def decimal_text(steps: int, exponent: int) -> str:
    """Writes an amount as a decimal, exactly, always with a fraction: whole numbers end in `.0`.

    Readers that guess types take `18000` for an integer and refuse it in a column of decimals.
    """
    digits = str(steps).rjust(exponent + 1, "0")
    whole, fraction = digits[: len(digits) - exponent], digits[len(digits) - exponent :]
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def _charged_at(posting: Posting) -> datetime:
    at_ns = posting.occurred_at_ns
    if not 0 < at_ns <= posting.timestamp_ns:
        at_ns = posting.timestamp_ns
    return datetime.fromtimestamp(at_ns // _NS_PER_S, UTC)


def _month(at_ns: int) -> tuple[datetime, datetime]:
    start = datetime.fromtimestamp(at_ns // _NS_PER_S, UTC)
    start = start.replace(day=1, hour=0, minute=0, second=0)
    return start, (start + timedelta(days=32)).replace(day=1)


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")

"""`tallystick channel`: deposits for vouchers that are signed off the ledger.

    tallystick channel open till shop 100 USD -k alice          the payer; prints CHANNEL and a key
    tallystick channel voucher CHANNEL 12.50 USD -k alice       signs VOUCHER; asks no node
    tallystick channel show CHANNEL -k bob                      the payee, before it serves
    tallystick channel check VOUCHER --channel-key HEX          the payee; asks no node
    tallystick channel redeem VOUCHER … -k bob                  the last one of each channel

`open` makes the channel's key and keeps it in `keys/channel-CHANNEL.key` by the profile, where
`voucher` looks for it.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from tallystick.channels import DEFAULT_CHALLENGE_S, Redeemed, id_in
from tallystick.cli.output import CommandFailed, Report, Table
from tallystick.cli.session import (
    AmountArgument,
    JsonOption,
    KeyOption,
    ProfileOption,
    ReferenceOption,
    UniqueOption,
    receipt_data,
    session,
)
from tallystick.errors import InvalidArgument, OutcomeUnknown, TallystickError
from tallystick.keyfile import new_key_file, read_key_file, write_key_file
from tallystick.vouchers import NO_COMMITMENT, Voucher, commitment_to
from tallystick_ledger.ids import ChannelId, PublicKey
from tallystick_ledger.limits import ID_BYTES, KEY_BYTES, SEED_BYTES

app = typer.Typer(no_args_is_help=True, help="Deposit for vouchers; sign and redeem them.")

_Channel = Annotated[str, typer.Argument(help="The channel's id, as `channel open` printed it.")]


@app.command("open")
def open_(
    payer: Annotated[str, typer.Argument(help="Whose money: own account, name or id.")],
    payee: Annotated[str, typer.Argument(help="Who may redeem: account name or id.")],
    amount: AmountArgument,
    seconds: Annotated[
        float, typer.Option(min=1, help="How long the payee may redeem once the payer closes.")
    ] = DEFAULT_CHALLENGE_S,
    reference: ReferenceOption = 0,
    unique: UniqueOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deposit AMOUNT of an own account for vouchers. Signed by the payer's OWNER key."""
    with session(profile, key, sends=True) as opened:
        debit, credit = opened.book.account(payer), opened.book.account(payee)
        parsed = opened.amount(amount, debit)
        held = new_key_file(os.urandom(SEED_BYTES), "channel")
        unnamed = _key_path(opened.directory, f"new-{held.key.public_key.hex()[:16]}")
        unnamed.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Before anything is sent: money that is pinned for a lost key would pay nobody.
        write_key_file(unnamed, held)
        try:
            channel = opened.client.open_channel(
                debit,
                credit,
                parsed.steps,
                held.key,
                add_key=True,
                challenge_s=seconds,
                reference=reference,
                unique=unique,
            )
        except OutcomeUnknown as error:
            ledger_id = opened.client.ledger_id
            unnamed.rename(_key_path(opened.directory, id_in(error, ledger_id, add_key=True).hex()))
            raise
        except TallystickError:
            unnamed.unlink()
            raise
        path = _key_path(opened.directory, channel.id.hex())
        unnamed.rename(path)
        written = opened.written_for(parsed.steps, debit)
    public_key = held.key.public_key.hex()
    Report(
        {
            "channel": channel.id.hex(),
            "payer": debit.hex(),
            "payee": credit.hex(),
            "deposit": str(parsed.steps),
            "channel_key": public_key,
            "key_file": str(path),
            "receipt": receipt_data(channel.receipt),
        },
        f"Deposited {written} of {payer} for vouchers to {payee}; their key is in {path}.",
        [("channel", channel.id.hex()), ("channel key", public_key)],
    ).print(as_json=as_json)


@app.command()
def voucher(
    channel: _Channel,
    amount: AmountArgument,
    usage: Annotated[
        Path | None, typer.Option(help="A file that says what it is for; its hash is signed too.")
    ] = None,
    channel_key: Annotated[
        Path | None,
        typer.Option(help="The channel's key file. Default: keys/channel-CHANNEL.key"),
    ] = None,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a voucher: AMOUNT is the sum so far, in the channel's unit. No node is asked."""
    channel_id = _channel_id(channel)
    with session(profile, key) as opened:
        path = channel_key or _key_path(opened.directory, channel)
        parsed = opened.amount_of_book(amount)
        commitment = NO_COMMITMENT if usage is None else commitment_to(_read(usage))
        signed = Voucher.sign(
            read_key_file(path).key, opened.client.ledger_id, channel_id, parsed.steps, commitment
        )
    # The voucher is the last line for people: that is what they copy.
    Report(_voucher_data(signed), signed.hex()).print(as_json=as_json)


@app.command()
def check(
    voucher: Annotated[str, typer.Argument(help="What `channel voucher` printed.")],
    channel_key: Annotated[
        str, typer.Option(help="The channel's public key, 64 hexadecimal digits.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Check that a channel's key signed a voucher. No node is asked."""
    signed = Voucher.from_hex(voucher)
    signed.verify(_public_key(channel_key))
    Report(
        _voucher_data(signed),
        f"Signed: the channel {signed.channel.hex()} pays {signed.cumulative} steps in all.",
    ).print(as_json=as_json)


@app.command()
def redeem(
    vouchers: Annotated[
        list[str], typer.Argument(help="Of any channels; `-` reads them from stdin, one a line.")
    ],
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have vouchers paid, of each channel the last one. Signed by the payee."""
    signed = [Voucher.from_hex(text) for text in _lines(vouchers)]
    if not signed:
        raise InvalidArgument("There is no voucher.")
    with session(profile, key, sends=True) as opened:
        done = opened.client.redeem_many(signed)
    if len(done) == 1 and (error := done[0].error) is not None:
        raise error
    refused = sum(not each.ok for each in done)
    Report(
        {"redeemed": [_redeemed_data(each) for each in done], "refused": refused},
        f"Redeemed {len(done) - refused} of {len(done)} channels.",
        table=Table(
            ("channel", "sum so far>", "result"),
            [
                (each.voucher.channel.hex(), str(each.voucher.cumulative), each.result.code.name)
                for each in done
            ],
        ),
    ).print(as_json=as_json)
    if refused:
        raise typer.Exit(3)


@app.command("top-up")
def top_up(
    channel: _Channel,
    amount: AmountArgument,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add AMOUNT to a channel's deposit. Signed by the payer."""
    channel_id = _channel_id(channel)
    with session(profile, key, sends=True) as opened:
        parsed = opened.amount_of_book(amount)
        receipt = opened.client.top_up(channel_id, parsed.steps)
    Report(
        {"channel": channel, "amount": str(parsed.steps), "receipt": receipt_data(receipt)},
        f"Added {' '.join(amount)} to the deposit of {channel}.",
    ).print(as_json=as_json)


@app.command()
def close(
    channel: _Channel,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a channel: the payee's at once, the payer's after the challenge period."""
    channel_id = _channel_id(channel)
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.close_channel(channel_id)
    Report(
        {"channel": channel, "receipt": receipt_data(receipt)},
        f"Closed {channel}: at once by its payee, by its payer after the challenge period.",
    ).print(as_json=as_json)


@app.command()
def show(
    channel: _Channel,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a channel as the ledger has it: its key, its accounts, what is left. For both sides."""
    channel_id = _channel_id(channel)
    with session(profile, key) as opened:
        (row,) = opened.client.get_channels([channel_id])
        if row is None:
            raise CommandFailed(
                f"There is no channel {channel} that this key may see.",
                advice="Check the id and -k; closed ones are forgotten after a while.",
            )
        rest, paid = (
            opened.written_for(steps, row.payee_account) for steps in (row.rest, row.paid)
        )
    Report(
        {
            "channel": channel,
            "payer": row.payer_account.hex(),
            "payee": row.payee_account.hex(),
            "channel_key": row.key.hex(),
            "deposit": str(row.deposit),
            "paid": str(row.paid),
            "highest": str(row.highest),
            "challenge_ns": row.challenge_ns,
            "closes_at_ns": row.closes_at_ns,
            "status": row.status.name,
        },
        f"{row.status.name}: it has paid {paid}; {rest} "
        + ("left." if row.is_open else "went back."),
        [("channel key", row.key.hex()), ("payee", opened.book.account_name(row.payee_account))],
    ).print(as_json=as_json)


def _key_path(directory: Path, channel: str) -> Path:
    return directory / "keys" / f"channel-{channel}.key"


def _channel_id(text: str) -> ChannelId:
    return ChannelId(_raw(text, ID_BYTES, "channel"))


def _public_key(text: str) -> PublicKey:
    return PublicKey(_raw(text, KEY_BYTES, "public key"))


def _raw(text: str, size: int, what: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise InvalidArgument(f"{text!r} is no {what}: that is {2 * size} hexadecimal digits.")
    return raw


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}.") from error


def _lines(vouchers: list[str]) -> list[str]:
    if vouchers != ["-"]:
        return vouchers
    return typer.get_text_stream("stdin").read().split()


def _voucher_data(signed: Voucher) -> dict[str, str]:
    return {
        "voucher": signed.hex(),
        "ledger": signed.ledger_id.hex(),
        "channel": signed.channel.hex(),
        "cumulative": str(signed.cumulative),
        "commitment": signed.commitment.hex(),
    }


def _redeemed_data(each: Redeemed) -> dict[str, object]:
    return {
        "channel": each.voucher.channel.hex(),
        "cumulative": str(each.voucher.cumulative),
        "code": each.result.code.name,
        "sequence": each.result.sequence,
        "receipt": receipt_data(each.receipt),
    }

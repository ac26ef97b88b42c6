"""Nodes that misbehave: nobody pays twice, and nobody is told two different outcomes."""

import asyncio

import pytest
from tests.client.conftest import Market
from tests.client.fake_node import FakeNode, Manner

from tallystick import OutcomeUnknown, Receipt, errors, limits
from tallystick.envelopes import Stored
from tallystick.reads import Presence
from tallystick_ledger.ids import AccountId, PrincipalId
from tallystick_ledger.records import Transfer


async def pay(market: Market, amount: int = 1, deadline_s: float | None = None) -> Receipt:
    return await market.client.transfer(
        market.payer_account, market.payee_account, amount, deadline_s=deadline_s
    )


def stored_payment(market: Market, amount: int = 1) -> Stored:
    draft = market.client.draft()
    draft.add(Transfer(market.payer_account, market.payee_account, amount))
    return draft.seal()


async def balance(market: Market) -> int:
    return await market.client.balance(market.payee_account, signer=market.payee)


@pytest.mark.parametrize(
    "manner",
    [
        Manner.DROP_ANSWER,
        Manner.BREAK,
        Manner.COMMIT_UNAVAILABLE,
        Manner.UNAVAILABLE,
        Manner.OVERLOADED,
        Manner.NOT_LEADER,
        Manner.NONSENSE,
    ],
)
async def test_one_failure_is_survived_and_pays_once(market: Market, manner: Manner) -> None:
    for node in market.cluster.nodes:
        node.manners.append(manner)
    await pay(market, 5)
    assert await balance(market) == 5


@pytest.mark.parametrize("manner", [Manner.HANG, Manner.COMMIT_AND_HANG])
async def test_a_node_that_hangs_is_given_up_for_another(market: Market, manner: Manner) -> None:
    market.cluster.nodes[0].manners.append(manner)
    async with market.new_client(attempt_timeout_s=0.2) as client:
        await client.transfer(market.payer_account, market.payee_account, 5)
    assert await balance(market) == 5


async def test_the_same_bytes_are_sent_again(market: Market) -> None:
    node = market.cluster.nodes[0]
    node.manners.extend([Manner.DROP_ANSWER, Manner.BREAK, Manner.OVERLOADED])
    market.cluster.nodes[1].manners.extend([Manner.BREAK, Manner.OVERLOADED])
    receipt = await market.client.submit(stored_payment(market))
    assert receipt.duplicate  # that of the first attempt, whose answer was lost
    sent = {message for each in market.cluster.nodes for message in each.messages}
    assert len(sent) == 1
    assert await balance(market) == 1


@pytest.mark.parametrize("hints", [True, False])
async def test_the_leader_is_found(market: Market, hints: bool) -> None:
    cluster = market.cluster
    cluster.gives_hints = hints
    cluster.leader = cluster.nodes[2]
    await pay(market)
    asked = [node for node in cluster.nodes if node.messages]
    assert asked == ([cluster.nodes[0], cluster.nodes[2]] if hints else cluster.nodes)
    cluster.nodes[0].messages.clear()
    await pay(market)  # and remembered
    assert not cluster.nodes[0].messages


async def test_a_hint_to_a_node_that_was_not_configured_is_followed(market: Market) -> None:
    cluster = market.cluster
    stranger = FakeNode(cluster, 4)
    await stranger.start()
    try:
        cluster.leader = stranger
        await pay(market)
        assert stranger.address in market.client.endpoints
    finally:
        await stranger.stop()


async def test_hints_in_a_circle_are_not_followed_without_a_pause(market: Market) -> None:
    """Two nodes that each call the other the leader must not be asked thousands of times."""
    cluster = market.cluster
    cluster.leader = None
    for node, other in zip(cluster.nodes, cluster.nodes[1:] + cluster.nodes[:1], strict=True):
        node.manners.extend([Manner.NOT_LEADER] * 1000)
        node.hint = other
    with pytest.raises(errors.NoLeader):
        await pay(market, deadline_s=0.3)
    assert sum(len(node.messages) for node in cluster.nodes) < 60
    assert await balance(market) == 0


async def test_a_dead_leader_is_left_for_the_next(market: Market) -> None:
    cluster = market.cluster
    await pay(market)
    await cluster.nodes[0].stop()
    cluster.leader = cluster.nodes[1]
    await pay(market)
    await cluster.nodes[0].start()  # at its old port
    await cluster.nodes[1].stop()
    cluster.leader = cluster.nodes[0]
    await pay(market)
    assert await balance(market) == 3


async def test_many_under_way_when_the_leader_dies_are_each_paid_once(market: Market) -> None:
    cluster = market.cluster
    cluster.nodes[0].manners.extend([Manner.COMMIT_AND_HANG])
    calls = [asyncio.ensure_future(pay(market)) for _ in range(100)]
    await cluster.nodes[0].received(1)
    calls += [asyncio.ensure_future(pay(market)) for _ in range(100)]
    cluster.leader = cluster.nodes[2]
    await cluster.nodes[0].stop()
    await asyncio.gather(*calls)
    assert await balance(market) == 200


async def test_nobody_there_means_nothing_was_sent(market: Market) -> None:
    for node in market.cluster.nodes:
        await node.stop()
    with pytest.raises(errors.ConnectionFailed) as caught:
        await pay(market, deadline_s=0.2)
    assert caught.value.retryable
    with pytest.raises(errors.ConnectionFailed):
        await market.client.get_account(market.payer_account, deadline_s=0.2)
    with pytest.raises(errors.ConnectionFailed):
        await market.client.status(market.cluster.endpoints[0], deadline_s=0.2)


async def test_overload_to_the_end_is_a_refusal_without_doubt(market: Market) -> None:
    for node in market.cluster.nodes:
        node.manners.extend([Manner.OVERLOADED] * 1000)
    with pytest.raises(errors.Overloaded) as caught:
        await pay(market, deadline_s=0.2)
    assert caught.value.retryable
    assert await balance(market) == 0


@pytest.mark.parametrize("before", [None, Manner.OVERLOADED])
async def test_a_deadline_during_an_attempt_leaves_the_outcome_unknown(
    market: Market, before: Manner | None
) -> None:
    """The bytes are at a node that has not answered: neither "never sent" nor "overloaded"."""
    node = market.cluster.nodes[0]
    node.manners.extend([Manner.COMMIT_AND_HANG] if before is None else [before])
    node.manners.append(Manner.COMMIT_AND_HANG)
    with pytest.raises(OutcomeUnknown) as caught:
        await pay(market, 3, deadline_s=0.5)
    assert (await market.client.resolve(caught.value)).presence is Presence.FOUND
    assert await balance(market) == 3


async def test_an_unknown_outcome_is_said_and_can_be_resolved(market: Market) -> None:
    for node in market.cluster.nodes:
        node.manners.extend([Manner.DROP_ANSWER] + [Manner.BREAK] * 1000)
    with pytest.raises(OutcomeUnknown) as caught:
        await pay(market, 9, deadline_s=0.2)
    error = caught.value
    assert error.envelope_id.hex() in str(error)
    found = await market.client.resolve(error)
    assert found.presence is Presence.FOUND
    assert found.receipt is not None
    assert found.receipt.ok
    for node in market.cluster.nodes:
        node.manners.clear()
    again = await market.client.submit(error.envelope)
    assert again.sequence == found.receipt.sequence
    assert await balance(market) == 9


async def test_an_unknown_outcome_is_never_once_log_time_says_so(market: Market) -> None:
    for node in market.cluster.nodes:
        node.manners.extend([Manner.BREAK] * 1000)
    with pytest.raises(OutcomeUnknown) as caught:
        await pay(market, deadline_s=0.2)
    assert (await market.client.resolve(caught.value)).presence is Presence.NOT_YET
    market.cluster.clock.advance_s(601)
    market.cluster.ledger.tick()
    assert (await market.client.resolve(caught.value)).presence is Presence.NEVER


async def test_a_late_refusal_does_not_hide_that_the_first_attempt_was_ordered(
    market: Market,
) -> None:
    """Ordered, answer lost, refused as too late by a node that has not the id: look it up."""
    cluster = market.cluster
    cluster.nodes[0].manners.append(Manner.DROP_ANSWER)
    cluster.nodes[1].manners.append(Manner.TOO_LATE)
    cluster.gives_hints = False
    receipt = await market.client.submit(stored_payment(market, 4))
    assert receipt.ok
    assert cluster.nodes[1].reads + cluster.nodes[0].reads + cluster.nodes[2].reads == 1
    assert await balance(market) == 4


async def test_a_late_refusal_of_what_was_never_ordered_stays_undecided_until_log_time_passes(
    market: Market,
) -> None:
    cluster = market.cluster
    cluster.nodes[0].manners.append(Manner.BREAK)
    for node in cluster.nodes:
        node.manners.extend([Manner.TOO_LATE] * 1000)
    with pytest.raises(OutcomeUnknown):
        await pay(market, deadline_s=0.2)
    cluster.nodes[0].manners.appendleft(Manner.BREAK)
    cluster.nodes[1].manners.appendleft(Manner.BREAK)
    cluster.nodes[2].manners.appendleft(Manner.BREAK)
    stored = stored_payment(market)
    cluster.clock.advance_s(700)
    cluster.ledger.tick()
    with pytest.raises(errors.TooLate):
        await market.client.submit(stored, deadline_s=5)


async def test_without_doubt_too_late_is_final(market: Market) -> None:
    stored = stored_payment(market)
    market.cluster.clock.advance_s(61)
    with pytest.raises(errors.TooLate):
        await market.client.submit(stored)
    assert len(market.cluster.nodes[0].messages) == 1


async def test_an_expired_envelope_is_told_the_same_way_each_time(market: Market) -> None:
    """Ordered when it had just expired: EXPIRED, and every resend is a DUPLICATE of that."""
    stored = stored_payment(market)
    market.cluster.clock.advance_s(61)
    market.cluster.ledger.commit([stored.envelope])
    for _ in range(2):
        with pytest.raises(errors.TooLate) as caught:
            await market.client.submit(stored)
        assert caught.value.code == "EXPIRED"
    info = await market.client.resolve(stored)
    assert info.presence is Presence.FOUND
    assert info.receipt is None
    assert isinstance(info.refusal, errors.TooLate)


async def test_an_id_that_another_envelope_used_up(market: Market) -> None:
    first = market.client.draft()
    first.add(Transfer(market.payer_account, market.payee_account, 1))
    second = market.client.draft()
    second.envelope_id = first.envelope_id
    second.add(Transfer(market.payer_account, market.payee_account, 2))
    await market.client.submit(first.seal())
    with pytest.raises(errors.IdConflict):
        await market.client.submit(second.seal())
    assert await balance(market) == 1


async def test_denied_and_broken_envelopes_are_not_tried_again(market: Market) -> None:
    node = market.cluster.nodes[0]
    node.manners.append(Manner.DENY)
    with pytest.raises(errors.AccessDenied):
        await pay(market)
    bad = bytearray(stored_payment(market).envelope)
    bad[200] ^= 1  # in the signature
    with pytest.raises(errors.InvalidEnvelope) as caught:
        await market.client.submit(bytes(bad))
    assert caught.value.code == "BAD_SIGNATURE"
    bad = bytearray(stored_payment(market).envelope)
    bad[16] ^= 1  # in the ledger id
    with pytest.raises(errors.InvalidArgument):
        await market.client.submit(bytes(bad))
    with pytest.raises(errors.InvalidArgument):
        await market.client.submit(bytes(bad) + b"x")
    assert len(node.messages) == 2


async def test_a_broken_neighbour_in_a_message_harms_nobody(market: Market) -> None:
    good = [stored_payment(market) for _ in range(5)]
    bad = bytearray(good[2].envelope)
    bad[6] = 0x80  # a flag that there is not: the node reads no further
    envelopes: list[Stored | bytes] = [*good[:2], bytes(bad), *good[3:]]
    outcomes = await market.client.submit_many(envelopes)
    refused = outcomes.pop(2)
    assert isinstance(refused, errors.InvalidEnvelope)
    assert refused.code == "MALFORMED"
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert await balance(market) == 4


async def test_part_of_a_message_is_taken_and_the_rest_sent_again(market: Market) -> None:
    market.cluster.nodes[0].manners.append(Manner.OVERLOADED_LATER)
    outcomes = await market.client.submit_many([stored_payment(market) for _ in range(9)])
    assert all(not isinstance(outcome, Exception) for outcome in outcomes)
    first, second = market.cluster.nodes[0].messages
    assert len(second) == len(first) * 8 // 9
    assert await balance(market) == 9


async def test_a_caller_that_goes_away_takes_its_envelope_out_of_the_queue(market: Market) -> None:
    node = market.cluster.nodes[0]
    node.gate = asyncio.Event()
    first = []
    for count in range(1, limits.MESSAGES_IN_FLIGHT + 1):  # each in a message of its own
        first.append(asyncio.ensure_future(pay(market)))
        await node.received(count)
    given_up = asyncio.ensure_future(pay(market, 1000))
    await asyncio.sleep(0)
    given_up.cancel()
    node.gate.set()
    await asyncio.gather(*first)
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await balance(market) == 3


async def test_closing_tells_callers_what_is_known(market: Market) -> None:
    market.cluster.nodes[0].manners.append(Manner.HANG)
    client = market.new_client()
    waiting = asyncio.ensure_future(client.transfer(market.payer_account, market.payee_account, 1))
    await market.cluster.nodes[0].received(1)
    await client.close()
    with pytest.raises(OutcomeUnknown):
        await waiting
    with pytest.raises(errors.ConnectionFailed):
        await client.transfer(market.payer_account, market.payee_account, 1)


async def test_reads_ask_another_node(market: Market) -> None:
    market.cluster.nodes[0].fail_reads = 1
    assert await balance(market) == 0
    assert [node.reads for node in market.cluster.nodes] == [1, 1, 0]
    status = await market.client.status(market.cluster.endpoints[2], with_state_digest=True)
    assert (status.raft_id, status.role, len(status.state_digest)) == (3, "follower", 32)
    with pytest.raises(errors.InvalidArgument):
        await market.client.get_accounts([AccountId(b"x")])


async def test_an_envelope_of_a_stranger_needs_its_principal_to_be_looked_up(
    market: Market,
) -> None:
    """Without it only resending can tell, which is just as safe."""
    stored = stored_payment(market)
    async with market.new_client(signer=market.payee) as relay:
        market.cluster.nodes[0].manners.append(Manner.DROP_ANSWER)
        receipt = await relay.submit(stored.envelope)
        assert receipt.duplicate
        payer = market.payer
        with pytest.raises(errors.AccessDenied, match="for keys of the principal that signed"):
            await relay.get_envelope(stored.envelope_id, principal=payer.principal)
        info = await relay.get_envelope(stored.envelope_id, signer=payer)
        assert info.receipt is not None
        other = await relay.get_envelope(
            stored.envelope_id, principal=PrincipalId(market.payee.principal)
        )
        assert other.presence is Presence.NOT_YET

"""What was paid before a restart is corrected after it: the citation comes from the disks."""

import pytest
from tests.cluster.nodes import Nodes

from tallystick import Client, Signer, SigningKey, errors

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

ALICE, BOB = SigningKey(b"\x61" * 32), SigningKey(b"\x62" * 32)


def test_a_capture_is_refunded_and_disputed_after_restarts(nodes: Nodes) -> None:
    directory = nodes.layout.directory
    with Client.from_profile(directory) as client:
        alice = Signer(ALICE, client.register_principal(ALICE).id)
        bob = Signer(BOB, client.register_principal(BOB).id)
        unit = client.create_unit("CREDIT", 0, alice.principal).id
        till = client.open_account(unit, signer=alice).id
        shop = client.open_account(unit, signer=bob).id
        client.issue(unit, till, 1_000, signer=alice)
        with client.reserve(till, shop, 600, signer=alice, payee=bob) as hold:
            captured = hold.capture(500).sequence
    nodes.stop()  # with a checkpoint
    nodes.start()
    nodes.ready()
    with Client.from_profile(directory, key=bob) as client:
        receipt = client.refund(captured, 200)
        with pytest.raises(errors.CorrectionExceeds):
            client.refund(captured, 301)
        with pytest.raises(errors.WrongSide):
            client.refund(captured, 1, signer=alice)
        with pytest.raises(errors.CitedNotFound):
            client.refund(receipt.sequence, 1)
        client.dispute(captured, 300, signer=alice)
        with pytest.raises(errors.DisputeRefused):
            client.dispute(captured, 1, signer=alice)
    nodes.settled()
    nodes.kill()  # without a checkpoint: the refund is replayed
    nodes.start()
    nodes.ready()
    with Client.from_profile(directory, key=bob) as client:
        client.answer_dispute(captured, 100)
        assert client.balance(shop) == 200
        assert client.balance(till, signer=alice) == 800
        shown = [record.sequence for record in client.history(till, signer=alice)]
        assert {captured, receipt.sequence} <= set(shown)
    nodes.settled()  # all three say the same

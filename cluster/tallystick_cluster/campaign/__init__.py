"""A kill campaign: nodes of a loaded cluster die by SIGKILL, and nothing acknowledged is lost.

    python -m tallystick_cluster.campaign --kills 30

Theory of operation. Workers (clients.py) submit envelopes of one transfer each and send the same
bytes again, to whichever node, until they are decided. What each was told is kept by a witness
(witness.py), outside all nodes, and some decided envelopes are sent once more on purpose. Meanwhile
the nemesis (nemesis.py) waits for a number of acknowledgements, kills a node at a random moment
(every second time the leader, at the end all at once), sometimes once more while it recovers, and
starts it again. Afterwards all nodes are stopped and their own stores are read (stores.py):

1. every acknowledged envelope was executed exactly once in every node's log, with the sequence
   number, timestamp and results that the client was told;
2. all nodes have the same log, and replaying each gives the state digest that all nodes told;
3. nobody was ever told two different outcomes for one id;
4. whatever was first sent after an acknowledgement stands behind it in the ledger.

Nothing is refused in this traffic, so a refusal is a fault as well.
"""

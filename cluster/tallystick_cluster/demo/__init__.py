"""The demo: three nodes settle real usage, lose their leader on the way, and prove what is left.

| module | what |
|---|---|
| plan.py | who asks whom for which request, at which price; a pure function |
| population.py | registers principals, keys, units, accounts and money |
| settle.py | reserves and captures each request through the SDK, and keeps what was acknowledged |
| outage.py | kills the leader by SIGKILL, starts it again, and measures |
| replay.py | reads one stopped node's own directory and replays it |
| proofs.py | compares what the nodes hold with what was acknowledged and with the trace |
| report.py | the figures, for people and for programs |
| app.py | `tallystick demo` |

Real are the requests and their sizes, and the skew between consumers. Made up are the consumers,
the providers and their prices, and who asks whom. The output says so.
"""

"""Load by locust users: what they sign, how they call, and a run with a cluster of its own."""

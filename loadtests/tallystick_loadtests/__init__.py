"""Load: native benchmark, locust users, scenarios and recorded results."""

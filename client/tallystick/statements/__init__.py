"""Statements and exports: what an account did in a period, kept up incrementally, never by a scan.

    posting      pure: what one entry of an account's history moves
    usage        pure: how much of which meter it was for
    projection   an SQLite file of postings with running balances, resumable and rebuildable
    follow       brings a projection up to date from a ledger
    statement    pure: opening, movements, closing, and whether they add up
    table        one flat row for each posting and each usage; CSV, and Parquet (extra `export`)
    focus        rows of FOCUS 1.2 for charges
    subsidy      what grants paid to whom, and what went from these to the grantee

Source of truth is the ledger's history (`tallystick.history`); all here can be thrown away and made
again. Amounts are ints in the unit's smallest step.
"""

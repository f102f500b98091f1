"""Coverage and ledger computed a second time, in plain Python, from the rows of the sheets."""

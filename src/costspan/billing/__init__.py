"""Bills: what the same traffic costs under other plans and prices, and whether an invoice agrees with the ledger."""

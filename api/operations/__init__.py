"""Commands of the operator: schema, contract, history, invariants, accounts. No other module imports them."""

"""Commands that run beside the shop: schema, contract, history, invariants, accounts. Nothing imports them."""

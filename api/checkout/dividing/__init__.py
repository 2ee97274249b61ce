"""How an order is divided: among addresses, and the amounts of a variant among its lines."""

"""Stock: levels per warehouse, reservations, and the journal of changes."""

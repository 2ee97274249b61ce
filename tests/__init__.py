"""Everything that proves Souk; may import every package, nothing imports it."""

"""What a purchase costs: pure functions of lines, address and tariff."""

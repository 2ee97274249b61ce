"""The price of a purchase: pure functions of lines, address and tariff."""

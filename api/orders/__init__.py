"""The result of a checkout, and what happens to it afterwards."""

"""Edits of placed orders: price a change, charge or refund the difference, and change the order."""

"""The mail that asks a buyer for a review, once for each line of an order that was delivered."""

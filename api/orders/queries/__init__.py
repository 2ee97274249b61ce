"""Reads of orders, always for an actor: the buyer, a guest's session, the seller of every line, or an administrator."""

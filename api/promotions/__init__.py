"""Promotions, the codes that stand for them, and what buyers redeemed."""

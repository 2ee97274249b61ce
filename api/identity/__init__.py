"""Accounts, sign-in, tokens and addresses."""

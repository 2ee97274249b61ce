"""Synonyms that administrators have accepted, and those that are suggested to them."""

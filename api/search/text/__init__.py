"""The text rule: which words a text has, the same for what is indexed and for what is asked."""

from api.search.text.rule import Word, prepared, read, surface_words

__all__ = ["Word", "prepared", "read", "surface_words"]

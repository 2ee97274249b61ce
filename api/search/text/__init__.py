"""The text rule: which words a text has, the same for what is indexed and for what is asked."""

from api.search.text.rule import LONGEST, Word, folded_code, prepared, read, surface, surface_words
from api.search.text.scripts import stemmed

__all__ = ["LONGEST", "Word", "folded_code", "prepared", "read", "stemmed", "surface", "surface_words"]

"""Words that a search must not find: `laptop -bag`."""

import re

# A hyphen at the beginning of a word; within one, or alone, it is a character of the text.
_NEGATIVE = re.compile(r"(?<!\S)-(\w\S*)")
MOST = 10


def split(text: str) -> tuple[str, tuple[str, ...]]:
    """A query without its negative words, and those."""
    if "-" not in text:
        return text, ()
    found = tuple(_NEGATIVE.findall(text))[:MOST]
    return (" ".join(_NEGATIVE.sub(" ", text).split()), found) if found else (text, ())

"""Where a test can stop an upload: with nothing stored, and with objects that no row names yet."""

POINTS = frozenset({"media.before_store", "media.after_store"})

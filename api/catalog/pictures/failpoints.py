"""Where a test may stop a worker that fetches a picture: with what it fetched, and around the commit that shows it."""

POINTS = frozenset({"media.before_arrival", "media.in_arrival", "media.after_arrival"})

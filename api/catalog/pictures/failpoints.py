"""Where a test may stop a worker that fetches a picture: with what it fetched, and around the commit that shows it."""

POINTS = frozenset({"pictures.before_arrival", "pictures.in_arrival", "pictures.after_arrival"})

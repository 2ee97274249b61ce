"""Places between what is stored of reviews and what follows from it."""

POINTS = frozenset({"reviews.after_count", "reviews.after_requests"})

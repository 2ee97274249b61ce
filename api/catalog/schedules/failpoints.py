"""Where a test may stop a worker that does what was scheduled: before and after the commit of a product's changes."""

POINTS = frozenset({"schedules.in_change", "schedules.after_change"})

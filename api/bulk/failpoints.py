"""Where a test may stop a bulk job: around the storing of a file and around the commit of each chunk of rows."""

POINTS = frozenset({"bulk.before_chunk", "bulk.in_chunk", "bulk.after_chunk"})

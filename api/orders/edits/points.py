"""The points of an edit. A staged one has changed nothing; from `created` to its end it has those of a checkout."""

STAGED, DROPPED, CREATED, COMPLETED = "staged", "dropped", "created", "completed"
EDIT_POINTS = (STAGED, DROPPED, CREATED, "confirmed", COMPLETED, "compensating", "failed")
# Those of edits that have changed nothing and ask for nothing.
WAITING = (STAGED, DROPPED)
# Those at which a process has something to do.
RUNNING = (CREATED, "confirmed", "compensating")

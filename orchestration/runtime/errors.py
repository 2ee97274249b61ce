"""What can go wrong while starting or stopping, in words that name the fix."""


class RuntimeProblem(Exception):
    """A condition the operator can mend. The message is shown as it is, without a traceback; the command exits 1."""

"""Errors of starting and stopping. Each message names the fix."""


class RuntimeProblem(Exception):
    """A condition that the operator can fix. The command prints the message without a traceback and exits 1."""

"""Errors between the lake and the published marts, with messages for a person."""


class TransformError(RuntimeError):
    """Base of the package's errors."""


class LakeNotReady(TransformError):
    """The lake has no watermark yet: CDC has not finished its first snapshot."""


class BuildFailed(TransformError):
    """A model or a test of the dbt build failed. Nothing was published; the old marts and features remain."""

    def __init__(self, failures: list[str]) -> None:
        self.failures = failures
        listed = "\n".join(f"  {failure}" for failure in failures[:20])
        super().__init__(
            f"{len(failures)} of dbt's models or tests failed; the published marts are unchanged:\n{listed}"
        )


class SparkFailed(TransformError):
    """The Spark job could not run; the message says what is missing."""

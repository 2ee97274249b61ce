"""Errors between the lake and the published marts, with messages for a person."""

from collections.abc import Sequence
from dataclasses import dataclass


class TransformError(RuntimeError):
    """Base of the package's errors."""


class LakeNotReady(TransformError):
    """The lake has no watermark yet: CDC has not finished its first snapshot."""


@dataclass(frozen=True)
class FailedTest:
    """A data test with rows that break it. `sql` selects them; `column`: the one it tests, for tests of one column."""

    rule: str
    sql: str
    column: str | None
    models: tuple[str, ...]


class BuildFailed(TransformError):
    """A model or a test of the dbt build failed. Nothing was published; the old marts and features remain.

    `tests`: the data tests among the failures. `fatal`: whether something else failed than data tests and what waited
    for them.
    """

    def __init__(self, failures: list[str], tests: Sequence[FailedTest] = (), *, fatal: bool = True) -> None:
        self.failures = failures
        self.tests = tests
        self.fatal = fatal
        listed = "\n".join(f"  {failure}" for failure in failures[:20])
        super().__init__(
            f"{len(failures)} of dbt's models or tests failed; the published marts are unchanged:\n{listed}"
        )


class SparkFailed(TransformError):
    """The Spark job could not run; the message says what is missing."""


class StateUnusable(TransformError):
    """There is no state file to refresh from, or it belongs to other models, another contract or another Postgres."""


class ModelsChanged(StateUnusable):
    """The state file belongs to other models or another contract."""


class PlanError(TransformError):
    """A model's declaration for refreshes contradicts the model."""


class RefreshFailed(TransformError):
    """Data tests fail on rows of the changed keys. Nothing of this refresh was kept or published."""

    def __init__(self, failures: list[str]) -> None:
        self.failures = failures
        listed = "\n".join(f"  {failure}" for failure in failures[:20])
        super().__init__(
            f"{len(failures)} data tests fail on changed rows; the published marts are unchanged:\n{listed}"
        )

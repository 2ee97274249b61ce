"""The recorded time of each test folder is within its budget (tests/harness/record.py)."""

from tests.benchmarks.results import latest
from tests.harness.record import BUDGET, NAME, TOLERANCE, over_budget


def test_no_folder_was_recorded_far_over_its_budget() -> None:
    assert over_budget(latest(NAME)) == {}, f"above {TOLERANCE} times the budget: make it faster or raise the budget"


def test_a_folder_far_over_its_budget_is_named() -> None:
    """The negative control of the test above."""
    budget = BUDGET["unit"]
    lines = {"unit": {"ours": TOLERANCE * budget + 1}, "e2e": {"ours": 1.0}, "of another time": {"ours": 1e6}}

    assert over_budget(lines) == {"unit": TOLERANCE * budget + 1}

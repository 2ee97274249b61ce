"""Which test files stay together, and in which order they start."""

from tests.harness.processes import ROOT
from tests.harness.record import BUDGET, WHOLE, folder_of
from tests.harness.schedule import HEAVY, SHARED_BY_FIXTURE, UNITS, longest_first, misplaced, unit_of


def test_a_file_is_its_own_unit() -> None:
    assert unit_of("tests/unit/api/pricing/test_totals.py") == "tests/unit/api/pricing/test_totals.py"


def test_files_that_share_something_costly_are_one_unit() -> None:
    assert unit_of("tests/e2e/test_order_to_page.py") == unit_of("tests/e2e/test_no_short_cuts.py") == "platform"
    assert unit_of("tests/integration/features/test_features.py") == "marts"


def test_the_longest_starts_first_and_the_unknown_in_the_middle() -> None:
    seconds = {"long": 100.0, "short": 1.0, "one": 30.0, "two": 40.0}
    units = {"short": {"short"}, "new": {"new"}, "long": {"long"}, "both": {"one", "two"}}

    assert longest_first(units, seconds) == ["long", "both", "new", "short"]


def test_a_costly_fixture_outside_its_unit_is_refused() -> None:
    stray = misplaced("tests/unit/test_stray.py", ["tmp_path", "platform"])

    assert stray is not None
    assert "tests/harness/schedule.py" in stray
    assert misplaced("tests/e2e/test_new.py", ["platform"]) is None
    assert misplaced("tests/unit/test_stray.py", ["tmp_path"]) is None


def test_every_name_in_the_lists_exists() -> None:
    assert [path for members in UNITS.values() for path in members if not (ROOT / path).exists()] == []
    assert {unit for units in SHARED_BY_FIXTURE.values() for unit in units} <= set(UNITS)
    assert [unit for unit in HEAVY if unit not in UNITS and not (ROOT / unit).exists()] == []


def test_every_folder_of_tests_has_a_budget() -> None:
    found = {folder_of(str(path.relative_to(ROOT))) for path in ROOT.glob("tests/**/test_*.py")}

    assert found - {"integration"} | {WHOLE} == set(BUDGET)

"""No figure in a README is typed: the tables are what the result files say."""

from tests.benchmarks.render import PAGES, render
from tests.benchmarks.results import ROOT


def test_the_tables_are_rendered_from_the_result_files() -> None:
    for name in PAGES:
        page = ROOT / name
        if page.exists():
            assert page.read_text() == render(page), "run `python -m tests.benchmarks.render`"

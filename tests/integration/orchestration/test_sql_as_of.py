"""`souk sql --as-of` as an operator types it."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.testing import CliRunner, Result

from orchestration.cli import app
from orchestration.runtime.config import Config
from orchestration.runtime.layout import Layout
from tests.harness.synthetic_lake import START, SyntheticShop, write_lake
from warehouse.contract import load_contract
from warehouse.places import CONTRACT_PATH


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory whose lake has two states: one seller at 0/64, two sellers and a return at 0/C8."""
    home = tmp_path_factory.mktemp("as_of") / "souk"
    home.mkdir()
    Config().save(Layout(home))
    names = ("returns", "sellers")
    whole = load_contract(CONTRACT_PATH)
    few = replace(whole, tables=tuple(whole.by_name[name] for name in names))
    shop = SyntheticShop()
    first = shop.add_seller("First")
    write_lake(home / "lake", {"sellers": shop.rows["sellers"]}, lsn=100, as_of=START, contract=few)
    shop.add_seller("Second")
    product, variant = shop.add_product(first, shop.add_category("Lamps"), "Lamp")
    _, lines = shop.add_order([(product, variant, first, 1, "5.00")], START)
    shop.add_return(lines[0], 1, START)
    later = START + timedelta(days=1)
    write_lake(home / "lake", {name: shop.rows[name] for name in names}, lsn=200, as_of=later, contract=few)
    return home


def souk_sql(home: Path, *arguments: str, typed: str = "") -> Result:
    environment = {"SOUK_HOME": str(home), "COLUMNS": "200", "SOUK_LAKE_URI": None, "SOUK_MARTS_PATH": None}
    return CliRunner().invoke(app, ["sql", *arguments], input=typed, env=environment)


@pytest.mark.parametrize(
    ("moment", "sellers"),
    [("0/64", 1), ("0/C8", 2), (START.isoformat(), 1), ((START + timedelta(days=1)).isoformat(), 2)],
)
def test_the_same_query_at_two_moments(home: Path, moment: str, sellers: int) -> None:
    done = souk_sql(home, "--as-of", moment, "--json", "SELECT count(*) AS sellers FROM sellers")

    assert (done.exit_code, json.loads(done.stdout)) == (0, [{"sellers": sellers}]), done.stderr
    assert f"as of 0/{'64' if sellers == 1 else 'C8'}, text about people is masked" in done.stderr


@pytest.mark.parametrize(
    ("moment", "status", "said"),
    [
        ("yesterday", 2, "--as-of: 'yesterday' is neither a log position such as 0/1A2B3C nor a time such as"),
        ("0/1", 1, "--as-of: 0/1 is before the oldest state kept, 0/64 of "),
        ("0/FFF", 1, "--as-of: 0/FFF is after the newest state, 0/C8 of "),
        ("2001-01-01", 1, "--as-of: 2001-01-01T00:00:00.000000Z is before the oldest state kept, 0/64 of "),
        ("2101-01-01", 1, "--as-of: 2101-01-01T00:00:00.000000Z is after the newest state, 0/C8 of "),
    ],
)
def test_a_moment_that_cannot_be_shown_is_refused_by_its_option(
    home: Path, moment: str, status: int, said: str
) -> None:
    done = souk_sql(home, "--as-of", moment, "SELECT 1")

    assert (done.exit_code, done.stdout) == (status, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_a_mart_has_no_earlier_state(home: Path) -> None:
    done = souk_sql(home, "--as-of", "0/C8", "SELECT * FROM fct_orders JOIN orders USING (order_id)")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "fct_orders: marts exist only as last built, not at 0/C8. Leave --as-of out for them, or" in done.stderr


def test_only_reading_is_possible(home: Path, tmp_path: Path) -> None:
    done = souk_sql(home, "--as-of", "0/C8", f"COPY sellers TO '{tmp_path}/sellers.csv'")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "the lake is only read: write a SELECT" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_text_about_people_is_masked_unless_its_owner_asks(home: Path) -> None:
    query = "SELECT reason, quantity FROM returns"

    masked = souk_sql(home, "--as-of", "0/C8", "--json", query)
    shown = souk_sql(home, "--as-of", "0/C8", "--personal", "--json", query)
    with patch("os.geteuid", return_value=home.stat().st_uid + 1):
        refused = souk_sql(home, "--as-of", "0/C8", "--personal", "--json", query)
    marts = souk_sql(home, "--personal", "SELECT 1")

    assert json.loads(masked.stdout) == [{"reason": "***", "quantity": 1}]
    assert json.loads(shown.stdout) == [{"reason": "broken", "quantity": 1}]
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"--personal: text about people is for the owner of {home}" in refused.stderr
    assert (marts.exit_code, marts.stdout) == (2, "")


def test_queries_from_stdin_share_the_moment(home: Path) -> None:
    done = souk_sql(
        home, "--as-of", "0/64", "--json", typed="SELECT 1 AS a;\nSELECT nothing;\nSELECT lsn FROM _watermark"
    )

    assert done.exit_code == 1
    assert done.stdout == '[\n  {\n    "a": 1\n  }\n]\n[\n  {\n    "lsn": 100\n  }\n]\n'
    assert 'column "nothing" was not found' in done.stderr

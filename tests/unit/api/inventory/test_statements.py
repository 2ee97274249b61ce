"""Stock and its journal have one writer."""

import re
from collections.abc import Iterable
from uuid import uuid4

import pytest

from api.inventory import statements
from api.inventory.statements import MOVE_STOCK, StockMove
from api.kernel.statement import Part
from tests.harness.api import ROOT

# SQL text, and Core with a class of the models or its table.
JOURNAL = re.compile(r"INSERT INTO inventory_transactions|insert\(InventoryTransaction\b")
# Loaded history is copied into empty tables.
ELSEWHERE = ("operations/load/", "operations/migrations/")


def writers(pattern: re.Pattern[str], files: Iterable[tuple[str, str]]) -> list[str]:
    """Places of `files` (path, text) where `pattern` stands."""
    return [f"{path}: {match.group()}" for path, text in files for match in pattern.finditer(text)]


def sources() -> list[tuple[str, str]]:
    api = ROOT / "api"
    paths = sorted(path for path in api.rglob("*.py") if not str(path.relative_to(api)).startswith(ELSEWHERE))
    return [(str(path.relative_to(api)), path.read_text()) for path in paths]


def test_the_journal_is_written_in_one_place() -> None:
    assert writers(JOURNAL, sources()) == ["inventory/statements.py: INSERT INTO inventory_transactions"]


@pytest.mark.parametrize(
    "second",
    ["INSERT INTO inventory_transactions (x)", "tx.execute(insert(InventoryTransaction).values(x=1))"],
)
def test_a_second_writer_is_found(second: str) -> None:
    assert len(writers(JOURNAL, [*sources(), ("orders/commands.py", second)])) == 2


@pytest.mark.parametrize(
    "part",
    [
        statements.hold(900),
        statements.release(uuid4()),
        statements.release_due(10),
        statements.restock(uuid4(), [(uuid4(), None, 1)], cancels_order=False),
        statements.restock(uuid4(), [(uuid4(), None, 1)], cancels_order=True),
        statements.move_stock([StockMove(uuid4(), uuid4(), -2, "adjustment")]),
    ],
    ids=["hold", "release", "release due", "return", "cancel", "adjust"],
)
def test_every_change_of_stock_is_the_same_sql(part: Part) -> None:
    assert part.ctes.count(MOVE_STOCK) == 1
    rest = part.ctes.replace(MOVE_STOCK, "")
    assert "UPDATE product_variants" not in rest
    assert "UPDATE warehouse_stock" not in rest

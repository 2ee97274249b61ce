"""A composed statement writes each table once, and every part says the truth about its SQL."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from uuid import uuid4

import pytest

from api.inventory import statements as stock
from api.kernel.statement import OPEN_GATE, Part, compose
from api.orders.statements import Step, move_part, payment_status_part
from tests.harness.api import ROOT

_LITERAL = re.compile(r"'[^']*'")
_MADE = re.compile(r"(?:^|,)\s*(\w+) AS (?:MATERIALIZED )?\(\s*(?=SELECT|INSERT|UPDATE|DELETE|MERGE)")
_WRITTEN = re.compile(r"\b(?:INSERT INTO|MERGE INTO|(?<!DO )(?<!THEN )UPDATE|DELETE FROM)\s+(\w+)")
# The name of a column or alias is no reference to a CTE: `b.kept`, `:kept`, `AS kept`. A lock is no write.
_NO_REFERENCE = re.compile(r"(?:[.:]|\bAS\s)\s*\w+")
_LOCK = re.compile(r"\bFOR (?:NO KEY )?UPDATE\b")


def code(sql: str) -> str:
    """The SQL without its string literals and row locks."""
    return _LOCK.sub("", _LITERAL.sub("''", sql))


def made(sql: str) -> list[str]:
    """The CTEs that `sql` defines, in order."""
    return _MADE.findall(code(sql))


def written(sql: str) -> list[str]:
    """The tables that `sql` writes, once per INSERT, UPDATE, DELETE or MERGE."""
    return _WRITTEN.findall(code(sql))


def added(sql: str) -> set[str]:
    """The tables that `sql` only inserts into: with ON CONFLICT it may change a row of another part."""
    inserted = set(re.findall(r"\bINSERT INTO (\w+)", code(sql)))
    return inserted - set(re.findall(r"\b(?:(?<!DO )UPDATE|DELETE FROM) (\w+)", code(sql)))


def needed(sql: str, known: set[str]) -> set[str]:
    """Which of the CTEs that are `known` in the tree `sql` reads without defining them."""
    words = set(re.findall(r"\b\w+\b", _NO_REFERENCE.sub(" ", code(sql))))
    return (words & known) - set(made(sql))


def parts() -> Iterator[tuple[str, Part]]:
    """Every `Part(...)` in the tree, by place; its values are left out."""
    for path in sorted((ROOT / "api").rglob("*.py")):
        text = path.read_text()
        for call in ast.walk(ast.parse(text)) if "Part(" in text else ():
            match call:
                case ast.Call(func=ast.Name(id="Part"), args=[sql, *_]):
                    place = f"{path.relative_to(ROOT)}:{call.lineno}"
                    told = [word for word in call.keywords if word.arg in {"makes", "needs", "writes", "appends"}]
                    constants = ast.fix_missing_locations(ast.Expression(ast.Call(call.func, [sql], told)))
                    module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
                    try:
                        yield place, eval(compile(constants, place, "eval"), vars(module))  # noqa: S307 - our own source
                    except NameError as error:
                        pytest.fail(f"{place}: SQL and declaration of a part are constants of its module; {error}")


PARTS = dict(parts())
KNOWN = {name for part in PARTS.values() for name in part.makes}


def test_every_part_is_found() -> None:
    assert len(PARTS) >= 20
    assert {place.split(":")[0] for place in PARTS} >= {
        "api/kernel/statement.py",
        "api/kernel/outbox.py",
        "api/inventory/statements.py",
        "api/orders/statements.py",
        "api/payments/statements.py",
    }


@pytest.mark.parametrize("place", PARTS)
def test_a_part_declares_what_its_sql_does(place: str) -> None:
    part = PARTS[place]
    tables = written(part.ctes)
    assert list(part.makes) == made(part.ctes)
    assert set(part.needs) == needed(part.ctes, KNOWN)
    assert part.writes | part.appends == set(tables)
    assert part.appends <= added(part.ctes) - part.writes
    assert len(tables) == len(set(tables)), "one part writes one table twice"


def test_the_reader_of_sql_sees_a_lie() -> None:
    sql = """asked AS (
        INSERT INTO returns (reason) SELECT 'UPDATE orders' FROM unnest(:kept) AS x(kept), gate RETURNING 1),
    seen AS MATERIALIZED (SELECT k.id AS locked FROM kept k WHERE k.locked ORDER BY 1 FOR NO KEY UPDATE OF k),
    gone AS (DELETE FROM refunds USING gate RETURNING 1),
    left_over AS (MERGE INTO payments p USING kept k ON p.id = k.id WHEN MATCHED THEN UPDATE SET a = 1 RETURNING 1)"""
    known = {"gate", "kept", "locked", "returns_of", "asked"}
    assert made(sql) == ["asked", "seen", "gone", "left_over"]
    assert written(sql) == ["returns", "refunds", "payments"]
    assert needed(sql, known) == {"gate", "kept"}


def test_two_updates_of_orders_are_refused() -> None:
    order_id = uuid4()
    step = Step(order_id, "pending", "confirmed", "service", payment_status="authorised")
    with pytest.raises(ValueError, match=r"^two parts write the table orders$"):
        compose([OPEN_GATE, move_part(step), payment_status_part("paid", {order_id: None})], "1")


def test_two_parts_may_add_rows_to_one_table_and_no_third_may_change_them() -> None:
    one, other = (Part(f"{name} AS (INSERT INTO t SELECT 1)", makes=(name,), appends=frozenset("t")) for name in "ab")
    change = Part("c AS (UPDATE t SET x = 1 RETURNING 1)", makes=("c",), writes=frozenset("t"))
    compose([one, other], "1")
    for parts_of in ([one, change], [change, one]):
        with pytest.raises(ValueError, match=r"^two parts write the table t$"):
            compose(parts_of, "1")


def test_a_cte_made_twice_is_refused() -> None:
    def only_locks(part: Part) -> Part:
        return Part(part.ctes, part.values, part.makes, part.needs)

    first, second = stock.release(uuid4()), stock.restock(uuid4(), [(uuid4(), None, 1)], cancels_order=True)
    with pytest.raises(ValueError, match=r"^two parts write the table inventory_reservations, "):
        compose([OPEN_GATE, first, second], "1")
    with pytest.raises(ValueError, match=r"^two parts make the CTE alerted, journal, levels_moved, locked, "):
        compose([OPEN_GATE, only_locks(first), only_locks(second)], "1")


def test_a_needed_cte_comes_from_an_earlier_part() -> None:
    taken, gate = Part("b AS (SELECT 1 FROM gate)", makes=("b",), needs=("gate",)), OPEN_GATE
    compose([gate, taken], "1")
    for order in ([taken], [taken, gate]):
        with pytest.raises(ValueError, match=r"^no earlier part makes the CTE gate$"):
            compose(order, "1")


def test_two_values_under_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^two parts bind differently id$"):
        compose([Part("a AS (SELECT :id)", {"id": 1}), Part("b AS (SELECT :id)", {"id": 2})], "1")


def test_parts_share_equal_values() -> None:
    statement, values = compose([Part("a AS (SELECT :id)", {"id": 1}), Part("b AS (SELECT :id)", {"id": 1})], "1")
    assert (str(statement), values) == ("WITH a AS (SELECT :id), b AS (SELECT :id) SELECT 1", {"id": 1})


def test_a_composition_with_other_values_is_parsed_once() -> None:
    first, second = (compose([OPEN_GATE, payment_status_part("paid", {uuid4(): None})], "1") for _ in range(2))
    assert first[0] is second[0]
    assert first[1] != second[1]

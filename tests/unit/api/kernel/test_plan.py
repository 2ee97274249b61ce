"""What leaves for Postgres: the text, the values in the order of its places, and what is kept between calls."""

import gc
import weakref
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    any_,
    bindparam,
    func,
    insert,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from api.kernel import plan
from api.kernel.plan import Call, bind

META = MetaData()
THINGS = Table(
    "things",
    META,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("data", JSONB),
    Column("n", Integer),
)
BY_ID = select(THINGS.c.name).where(THINGS.c.id == bindparam("id"), THINGS.c.n > 3)


def sent(call: Call) -> tuple[str, list[object]]:
    return " ".join(call.sql.decode().split()), list(call.values)


def test_a_text_gets_its_values_by_name_and_repeats_a_place() -> None:
    statement = text(r"SELECT 5 % 2, '\:x', CAST(:b AS int[]) WHERE :a = 1 OR :a = 2")

    assert sent(bind(statement).call({"a": 7, "b": [1], "unused": 0})) == (
        "SELECT 5 % 2, ':x', CAST($1 AS int[]) WHERE $2 = 1 OR $2 = 2",
        [[1], 7],
    )


def test_a_missing_value_is_refused() -> None:
    with pytest.raises(KeyError, match="id"):
        bind(BY_ID).call(None)
    with pytest.raises(KeyError, match="names"):
        bind(select(THINGS.c.id).where(THINGS.c.name.in_(bindparam("names", expanding=True)))).call({})


def test_values_written_into_a_statement_stay_with_it() -> None:
    """Two statements of one structure share the text and nothing else."""
    one, two = (select(THINGS.c.id).where(THINGS.c.name == name).limit(size) for name, size in (("a", 1), ("b", 2)))

    assert bind(one).plan is bind(two).plan
    assert [list(bind(statement).call(None).values) for statement in (one, two, one)] == [["a", 1], ["b", 2], ["a", 1]]


def test_a_call_leaves_nothing_to_the_next() -> None:
    first, second = bind(BY_ID).call({"id": 1}), bind(BY_ID).call({"id": 2})

    assert (list(first.values), list(second.values)) == ([1, 3], [2, 3])


def test_json_is_wrapped_and_null_is_null() -> None:
    one = bind(insert(THINGS).values(id=1, data={"a": 1}, name=None)).call(None)
    (data,) = [value for value in one.values if isinstance(value, Jsonb)]

    assert data.obj == {"a": 1}
    assert None in one.values
    two = bind(update(THINGS).values(data=bindparam("new"))).call({"new": [1]})
    assert [value.obj for value in two.values if isinstance(value, Jsonb)] == [[1]]


def test_a_list_in_a_condition_is_one_place_for_each_value_and_is_not_prepared() -> None:
    statement = select(THINGS.c.id).where(THINGS.c.n == 5, THINGS.c.name.in_(bindparam("names", expanding=True)))
    two = bind(statement).call({"names": ["a", "b"]})
    three = bind(statement).call({"names": ["a", "b", "c"]})

    assert (list(two.values), list(three.values)) == ([5, "a", "b"], [5, "a", "b", "c"])
    assert (two.prepare, three.prepare) == (False, False)
    assert b"$3" in two.sql
    assert b"$4" in three.sql
    pairs = select(THINGS.c.id).where(tuple_(THINGS.c.id, THINGS.c.name).in_([(1, "a"), (2, "b")]))
    assert list(bind(pairs).call(None).values) == [1, "a", 2, "b"]
    none = bind(statement).call({"names": []})
    assert list(none.values) == [5]


def test_a_list_that_a_statement_has_is_part_of_its_text() -> None:
    """It is written out once, and prepared when the statement is sent again."""
    statement = select(THINGS.c.id).where(THINGS.c.name.in_(["a", "b"]), THINGS.c.n == bindparam("n"))
    other = select(THINGS.c.id).where(THINGS.c.name.in_(["c", "d", "e"]), THINGS.c.n == bindparam("n"))
    first, second, third = bind(statement).call({"n": 1}), bind(other).call({"n": 2}), bind(statement).call({"n": 3})

    assert first.sql == third.sql
    assert [sorted(map(str, call.values)) for call in (first, second, third)] == [
        ["1", "a", "b"],
        ["2", "c", "d", "e"],
        ["3", "a", "b"],
    ]
    assert [call.prepare for call in (first, second, third)] == [False, False, True]
    with pytest.raises(KeyError, match="n"):
        bind(statement).call({})


def test_a_statement_with_a_list_of_one_call_is_forgotten() -> None:
    statement = select(THINGS.c.id).where(THINGS.c.name.in_(["once"]), THINGS.c.n > 1)
    bind(statement)
    again = select(THINGS.c.id).where(THINGS.c.name.in_(["twice"]), THINGS.c.n > 1)
    kept = weakref.ref(again)
    bind(again)
    del again
    gc.collect()

    assert kept() is None


def test_an_array_is_one_place_however_long() -> None:
    statement = select(THINGS.c.id).where(THINGS.c.name == any_(bindparam("names", type_=ARRAY(String))))

    one, many = bind(statement).call({"names": ["a"]}), bind(statement).call({"names": ["a", "b", "c"]})
    assert one.sql == many.sql
    assert one.prepare
    assert list(many.values) == [["a", "b", "c"]]


def test_rows_of_an_insert_are_written_out() -> None:
    call = bind(insert(THINGS).values([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])).call(None)

    assert list(call.values) == [1, "a", 2, "b"]
    assert not call.prepare


def test_times_and_amounts_go_as_they_are() -> None:
    values = (timedelta(hours=2), Decimal("1.10"), UUID(int=3), b"x", True)
    statement = select(*(func.coalesce(bindparam(f"v{n}", value)) for n, value in enumerate(values)))

    assert tuple(bind(statement).call(None).values) == values


def test_a_default_in_python_is_refused() -> None:
    table = Table("with_default", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer, default=1))
    with pytest.raises(TypeError, match="give it one in the database"):
        bind(insert(table).values(id=1))


def test_a_constant_is_found_by_identity_and_a_statement_of_one_call_is_forgotten() -> None:
    assert bind(BY_ID) is bind(BY_ID)

    built = [select(THINGS.c.id).where(THINGS.c.n == number) for number in range(50)]
    kept = [weakref.ref(statement) for statement in built]
    for statement in built:
        bind(statement)
    del built, statement
    gc.collect()
    alive = [ref for ref in kept if ref() is not None]
    assert len(alive) <= 1, "the text that they share may keep the first"


def test_the_texts_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_STRUCTURES", 5)
    for size in range(1, 30):
        bind(select(*(THINGS.c.id.label(f"c{size}_{n}") for n in range(size))))

    assert len(plan._compiled) == 5  # noqa: SLF001 - the bound is the test

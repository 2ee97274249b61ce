"""Postgres reads in a list what it reads in the same list as psycopg writes it, whatever it is cast to."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, Format

from api.kernel.arrays import array

ODD = [
    "",
    "NULL",
    "null",
    '"',
    "\\",
    '\\"',
    "{}",
    "{1,2}",
    "a,b",
    " a ",
    "\n",
    "\u2003",
    "水",
    "\U0001f375",
    "[0:1]={1}",
]
TEXTS = st.sampled_from(ODD) | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
INTS = st.sampled_from([0, -1, 2**15, -(2**15), 2**31, -(2**31), 2**63 - 1, -(2**63)]) | st.integers(-9, 9)
SMALL = st.integers(-(2**15), 2**15 - 1)
# What a list holds, and what statements cast such a list to.
KINDS: list[tuple[st.SearchStrategy[Any], tuple[str, ...]]] = [
    (TEXTS, ("text[]", "varchar[]", "char(3)[]", "name[]")),
    (st.sampled_from(["{}", '{"a": "b,\\\\c"}', "[1, null]", '"x"']), ("json[]", "jsonb[]")),
    (st.dates().map(str), ("date[]", "timestamptz[]")),
    (st.uuids(), ("uuid[]", "text[]")),
    (st.uuids().map(str), ("uuid[]",)),
    (SMALL, ("int2[]", "int4[]", "int8[]", "numeric[]", "float8[]", "text[]")),
    (INTS, ("int8[]", "numeric[]")),
    (st.decimals(-(10**20), 10**20), ("numeric[]",)),
    (st.decimals(-1_000, 1_000, places=2), ("numeric(12, 2)[]", "int4[]", "text[]")),
    (st.booleans(), ("bool[]", "text[]")),
    (st.dates(), ("date[]", "timestamptz[]")),
    (st.binary(max_size=5), ("bytea[]",)),
]


@pytest.fixture(scope="module")
def session(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as session:
        yield session


def read(session: psycopg.Connection, cast: str, content: Any, oid: int, form: Format) -> bytes | None:
    """What Postgres says the list is, after the cast."""
    result = session.pgconn.exec_params(f"SELECT CAST($1 AS {cast})::text".encode(), [content], [oid], [form])
    assert result.status == ExecStatus.TUPLES_OK, result.get_error_message()
    return result.get_value(0, 0)


def assert_same(session: psycopg.Connection, values: list[Any], cast: str) -> None:
    driver = Transformer(session)
    [content] = driver.dump_sequence([values], [PyFormat.AUTO])
    assert driver.types is not None
    assert driver.formats is not None
    written = array(values)
    assert written is not None
    assert read(session, cast, *written) == read(session, cast, content, driver.types[0], driver.formats[0])


@settings(max_examples=200)
@given(st.data())
def test_a_list_is_read_as_the_one_that_psycopg_writes(session: psycopg.Connection, data: st.DataObject) -> None:
    elements, casts = data.draw(st.sampled_from(KINDS))
    values = data.draw(st.lists(elements | st.none(), max_size=6))
    assert_same(session, values, data.draw(st.sampled_from(casts)))


@pytest.mark.parametrize("values", [[], [None], [None, None], ODD, [*ODD, None]])
def test_what_is_odd_is_read_as_it_is(session: psycopg.Connection, values: list[str | None]) -> None:
    assert_same(session, values, "text[]")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None], "smallint[]"),
        ([40_000], "integer[]"),
        ([2**40], "bigint[]"),
        ([Decimal("1.50"), None], "numeric[]"),
        ([True], "boolean[]"),
        ([date(2026, 1, 2)], "date[]"),
        ([b"\x00"], "bytea[]"),
    ],
)
def test_a_list_that_no_cast_names_is_of_the_type_of_its_elements(
    session: psycopg.Connection, values: list[Any], kind: str
) -> None:
    content, oid, form = array(values) or pytest.fail("left to psycopg")
    result = session.pgconn.exec_params(b"SELECT pg_typeof($1)", [content], [oid], [form])
    assert result.get_value(0, 0) == kind.encode()

"""A list is of the type that psycopg says it is of; UUIDs are written byte for byte as psycopg writes them in binary.

What Postgres reads in them is compared in tests/integration/api/kernel/database/test_arrays.py.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import Format

from api.kernel.arrays import UUID_ARRAY_OID, array

ONE, TWO = UUID(int=1), UUID("01890000-0000-7000-8000-ffffffffffff")


class _Word(StrEnum):
    A = "a"


class _Number(IntEnum):
    A = 1


@pytest.mark.parametrize("values", [[ONE], [ONE, TWO], [None, TWO], [TWO, None, None, ONE] * 100])
def test_uuids_are_what_psycopg_writes_in_binary(values: list[UUID | None]) -> None:
    driver = Transformer()
    expected = driver.dump_sequence([values], [PyFormat.BINARY])
    assert array(values) == (expected[0], UUID_ARRAY_OID, Format.BINARY)
    assert driver.types == (UUID_ARRAY_OID,)


@pytest.mark.parametrize(
    "values",
    [
        *([], [None], [None, None], ["a"], ["a", None], [""]),
        *([1], [-1, None], [2**15 - 1, -(2**15)], [2**15], [-(2**15) - 1], [2**31 - 1, -(2**31)], [2**31]),
        *([-(2**31) - 1], [2**63 - 1, -(2**63), 0]),
        *([Decimal("1.50"), None], [True, False, None], [date(2026, 1, 2)], [b"\x00\xff", None]),
    ],
)
def test_other_lists_have_the_type_and_the_format_that_psycopg_gives_them(values: list[Any]) -> None:
    driver = Transformer()
    driver.dump_sequence([values], [PyFormat.AUTO])
    written = array(values)
    assert written is not None
    assert (written[1:2], [written[2]]) == (driver.types, list(driver.formats or ()))


@pytest.mark.parametrize(
    "values",
    [
        *([ONE, "one"], [1, "one"], [1, True], [1, Decimal(1)], [[ONE]], [["a"]], [[], None]),
        *([2**63], [-(2**63) - 1], ["a\x00"], [Decimal("NaN")], [Decimal(1), Decimal("-Infinity")]),
        *([_Word.A], [_Number.A], ["a", _Word.A], [1.5], [datetime(2026, 1, 2, tzinfo=UTC)], [{}]),
    ],
)
def test_the_rest_is_left_to_psycopg(values: list[Any]) -> None:
    assert array(values) is None

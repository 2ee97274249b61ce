"""A list of UUIDs is written byte for byte as psycopg writes it in binary."""

from uuid import UUID

import pytest
from psycopg.adapt import PyFormat, Transformer

from api.kernel.arrays import UUID_ARRAY_OID, uuid_array

ONE, TWO = UUID(int=1), UUID("01890000-0000-7000-8000-ffffffffffff")


@pytest.mark.parametrize("values", [[ONE], [ONE, TWO], [None, TWO], [TWO, None, None, ONE] * 100])
def test_it_is_what_psycopg_writes(values: list[UUID | None]) -> None:
    driver = Transformer()
    assert driver.dump_sequence([values], [PyFormat.BINARY]) == [uuid_array(values)]
    assert driver.types == (UUID_ARRAY_OID,)


@pytest.mark.parametrize("values", [[], [None], ["one"], [str(ONE)], [ONE, "one"], [1], [[ONE]]])
def test_other_lists_are_left_to_psycopg(values: list[object]) -> None:
    assert uuid_array(values) is None

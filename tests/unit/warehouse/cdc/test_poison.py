"""An error that belongs to one table is told from one of the machine, and leaves the table out at the third time."""

import duckdb
import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError

from warehouse.cdc.columns import ValueRefused
from warehouse.cdc.poison import Suspects, TableFailed, work_on


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), KeyError("x"), pa.ArrowInvalid("x"), DeltaError("bad log"), duckdb.InvalidInputException("x")],
)
def test_an_error_of_the_data_names_its_table(error: Exception) -> None:
    with pytest.raises(TableFailed, match="table orders: ") as caught, work_on("orders"):
        raise error
    assert caught.value.table == "orders"


@pytest.mark.parametrize(
    "error",
    [
        ValueRefused("x"),
        OSError("x"),
        MemoryError(),
        DeltaError("No space left on device (os error 28)"),
        RuntimeError(),
        duckdb.OutOfMemoryException("x"),
        duckdb.IOException("No space left on device"),
    ],
)
def test_an_error_of_the_machine_or_a_refused_value_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, work_on("orders"):
        raise error
    assert caught.value is error


def test_the_third_failure_leaves_a_table_out_and_a_new_try_is_one_try() -> None:
    suspects = Suspects()
    failure = TableFailed("orders", ValueError("x"))
    assert [suspects.failed(failure), suspects.failed(failure), suspects.left_out] == [False, False, {}]
    assert suspects.failed(failure)
    assert suspects.left_out == {"orders": "table orders: ValueError: x"}
    suspects.try_again()
    assert suspects.left_out == {}
    assert suspects.failed(failure)


def test_failures_with_a_long_stream_between_them_are_not_in_a_row() -> None:
    suspects = Suspects()
    failure = TableFailed("orders", ValueError("x"))
    assert not any(suspects.failed(failure, streamed_seconds=600) for _ in range(5))
    assert [suspects.failed(failure, streamed_seconds=5) for _ in range(2)] == [False, True]

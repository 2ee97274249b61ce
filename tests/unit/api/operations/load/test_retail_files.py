"""Every kind of damage is told by file, line and column."""

from pathlib import Path

import pytest

from api.operations.load.errors import DataFileError
from api.operations.load.online_retail.files import find_files, read_lines
from tests.harness.retail import BAD, SMALL, damaged


def test_the_undamaged_set_is_read_whole() -> None:
    lines = read_lines(find_files(SMALL))

    assert lines.height == 24
    assert lines["line"].to_list() == list(range(2, 26))
    assert lines.row(0)[1:7] == ("1", lines["ts"][0], "17850", "United Kingdom", "1", 6)
    assert lines["customer_id"].null_count() == 6
    assert lines["cents"].null_count() == 1


@pytest.mark.parametrize("name", BAD)
def test_damage_is_told(name: str, tmp_path: Path) -> None:
    folder = damaged(tmp_path, name)

    with pytest.raises(DataFileError) as refused:
        read_lines(find_files(folder))

    assert BAD[name][1] in str(refused.value)


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="there is no such file or folder"):
        find_files(tmp_path / "nowhere")


def test_the_fingerprint_follows_the_bytes(tmp_path: Path) -> None:
    before = find_files(SMALL).fingerprint()
    folder = damaged(tmp_path, "not a number")

    assert find_files(SMALL).fingerprint() == before
    assert find_files(folder).fingerprint() != before


UCI = (
    '{},StockCode,Description,Quantity,InvoiceDate,{},{},Country\n489434,85048,"BALL, LARGE",12,2009-12-01'
    " 07:45:00,{},13085.0,France\n"
)


@pytest.mark.parametrize("header", [("InvoiceNo", "UnitPrice", "CustomerID"), ("Invoice", "Price", "Customer ID")])
def test_both_editions_of_the_original_columns_are_read(header: tuple[str, str, str], tmp_path: Path) -> None:
    file = tmp_path / "retail.csv"
    file.write_text(UCI.format(*header, "6.95"))
    row = read_lines(find_files(file)).row(0, named=True)
    assert (row["order_id"], row["title"], row["cents"], row["customer_id"]) == ("489434", "BALL, LARGE", 695, "13085")

    file.write_text(UCI.format(*header, "six"))
    with pytest.raises(DataFileError, match=rf"line 2, column {header[1]}: 'six' is not a price"):
        read_lines(find_files(file))

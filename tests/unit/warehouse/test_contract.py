"""The contract file: what is accepted, and that every refusal names its table and column."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.harness.cdc import lab_contract
from warehouse.contract import Column, ContractError, load_contract, parse_contract
from warehouse.settings import WarehouseSettings


def test_the_shops_contract_loads_and_every_type_has_its_place() -> None:
    contract = load_contract(WarehouseSettings().contract_path)
    orders = contract.by_name["orders"]
    assert orders.primary_key == ("order_id",)
    assert orders.data_schema.field("total").type == pa.decimal128(12, 2)
    assert orders.data_schema.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert [field.name for field in orders.changes_schema][-4:] == ["_op", "_commit_lsn", "_ordinal", "_commit_ts"]
    assert [table.name for table in contract.tables] == sorted(table.name for table in contract.tables)


def broken(**change: object) -> dict[str, Any]:  # Any: a JSON document
    """The lab's contract with its first table changed; a `column` dict changes that table's first column."""
    document: dict[str, Any] = lab_contract()  # Any: the same document
    column = change.pop("column", None)
    document["tables"][0].update(change)
    if isinstance(column, dict):
        document["tables"][0]["columns"][0].update(column)
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must be a JSON object"),
        ({"version": 2}, "version 2 is not 1"),
        ({"version": 1, "publication": ""}, "names no publication"),
        ({"version": 1, "publication": "p", "tables": []}, "lists no tables"),
        (broken(primaryKey=[]), "table lines has no primary key"),
        (broken(primaryKey=["nope"]), "table lines, column nope: is in the primary key but not published"),
        (broken(replicaIdentity="nothing"), "table lines: replica identity 'nothing'"),
        (broken(name="pairs"), "table pairs is listed twice"),
        (broken(name="_lines"), "table _lines: names with a leading underscore"),
        (broken(column={"type": "money"}), "table lines, column line_id: type 'money' is not one of"),
        (broken(column={"type": "numeric"}), "table lines, column line_id: numeric needs precision"),
        (broken(column={"name": "quantity"}), "table lines, column quantity: listed twice"),
        (broken(column={"personal": ""}), "table lines, column line_id: personal must say what kind of text it is"),
        (broken(column={"personal": "name"}), "table lines, column line_id: personal must .* only text has it"),
        (broken(column={"name": "_op"}), "table lines, column _op: names with a leading underscore"),
    ],
)
def test_a_refusal_names_table_and_column(document: object, message: str) -> None:
    with pytest.raises(ContractError, match=message.replace("(", r"\(")):
        parse_contract(document)


def test_a_missing_or_damaged_file_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"make generate"):
        load_contract(tmp_path / "none.json")
    damaged = tmp_path / "damaged.json"
    damaged.write_text(json.dumps(lab_contract())[:-5])
    with pytest.raises(ContractError, match="unreadable"):
        load_contract(damaged)


@pytest.mark.parametrize(
    ("oid", "typmod", "fits"),
    [(1700, ((12 << 16) | 2) + 4, True), (1700, ((10 << 16) | 2) + 4, True), (1700, ((14 << 16) | 2) + 4, False),
     (1700, ((12 << 16) | 3) + 4, False), (1700, -1, True), (701, -1, False)],
)  # fmt: skip
def test_a_numeric_column_must_fit(oid: int, typmod: int, fits: bool) -> None:
    column = Column("price", "numeric", precision=12, scale=2)
    assert (column.mismatch(oid, typmod) is None) is fits

"""Every published column of text says whether it may be about a person; dbt reads such text masked."""

import re
from collections.abc import Iterable, Iterator

from sqlalchemy import Column, MetaData, String, Table, Uuid

from api.kernel.columns import FREE_TEXT
from api.nouns import metadata
from api.operations.contract import TableContract, contract
from tests.architecture.test_rules import ROOT, tracked
from warehouse.contract import Contract, load_contract, parse_contract
from warehouse.places import CONTRACT_PATH

STAGING = ROOT / "transforms" / "dbt" / "models" / "staging"
LAKE_TABLE = re.compile(r"source\('lake', '(\w+)'\)")
EVERY_COLUMN = re.compile(r"(?:select|,)\s+(?:\w+\.)?\*", re.IGNORECASE)
MASKED = re.compile(r"masked\('\w+'\)")


def undeclared(published: Iterable[TableContract], models: MetaData) -> Iterator[str]:
    """Published columns of text whose model does not say what they hold."""
    for table in published:
        for column in table["columns"]:
            if column["type"] in ("text", "jsonb") and "personal" not in (
                models.tables[table["name"]].columns[column["name"]].info
            ):
                yield (
                    f"{table['name']}.{column['name']}: give it info=NOT_PERSONAL, FREE_TEXT or PAYMENT_REFERENCE of"
                    " api/kernel/columns.py, or PII when it must not leave Postgres"
                )


def unmasked(sql: str, published: Contract) -> Iterator[str]:
    """Personal columns of the lake's tables that this text of a dbt model reads as they are."""
    rest = MASKED.sub("", sql)
    for table in LAKE_TABLE.findall(sql):
        personal = published.by_name[table].personal
        yield from (
            f"{table}.{name}" for name in personal if EVERY_COLUMN.search(rest) or re.search(rf"\b{name}\b", rest)
        )


def test_every_published_text_says_whether_it_is_personal() -> None:
    assert list(undeclared(contract()["tables"], metadata())) == []


def test_a_text_that_says_nothing_is_named() -> None:
    models = MetaData()
    Table("notes", models, Column("note_id", Uuid), Column("body", String, info=FREE_TEXT), Column("title", String))
    columns = [("note_id", "uuid"), ("body", "text"), ("title", "text")]
    document = parsed("notes", columns)

    assert [line.partition(":")[0] for line in undeclared([document], models)] == ["notes.title"]


def test_the_contract_holds_what_the_models_say() -> None:
    tagged = {f"{table.name}.{name}" for table in load_contract(CONTRACT_PATH).tables for name in table.personal}

    assert tagged == {
        *(
            "order_events.reason",
            "parcel_events.reason",
            "returns.reason",
            "outbox_events.payload",
            "outbox_events.last_error",
        ),
        *("payments.gateway_key", "payments.gateway_reference", "refunds.gateway_key", "refunds.gateway_reference"),
    }


def test_dbt_reads_no_personal_text() -> None:
    published = load_contract(CONTRACT_PATH)
    models = [path for path in tracked() if path.suffix == ".sql" and "dbt/models" in str(path)]
    readers = [path for path in models if LAKE_TABLE.search(path.read_text())]

    assert len(readers) > 5
    assert [path for path in readers if not path.is_relative_to(STAGING)] == []
    assert [f"{path.name}: {column}" for path in readers for column in unmasked(path.read_text(), published)] == []


def test_a_model_that_reads_personal_text_is_seen() -> None:
    columns = [{"name": name, "type": "text", "personal": "free text"} for name in ("reason", "note")]
    key = {"name": "return_id", "type": "uuid"}
    table = {"name": "returns", "primaryKey": ["return_id"], "columns": [key, *columns]}
    published = parse_contract({"version": 1, "publication": "p", "tables": [table]})
    source = "from {{ source('lake', 'returns') }}"

    assert list(unmasked(f"select return_id, {{{{ masked('reason') }}}} {source}", published)) == []
    assert list(unmasked(f"select return_id, reason {source}", published)) == ["returns.reason"]
    assert list(unmasked(f"select * {source}", published)) == ["returns.reason", "returns.note"]


def parsed(name: str, columns: list[tuple[str, str]]) -> TableContract:
    """A table of the contract with these columns and types."""
    return {
        "name": name,
        "primaryKey": [columns[0][0]],
        "replicaIdentity": "default",
        "columns": [
            {
                "name": column,
                "type": kind,
                "precision": None,
                "scale": None,
                "nullable": True,
                "key": False,
                "unit": None,
            }
            for column, kind in columns
        ],
    }

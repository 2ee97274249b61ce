"""Marts, features and real-set files as training reads them, broken ones included."""

import gzip
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, columns_hash, numeric_columns
from tests.unit.training.orders import START, lines, products
from training.data.datasets import GUEST, BadTrainingData
from training.data.readers import read_inputs, training_data
from training.data.real_sets import read_set
from training.settings import TrainingSettings
from transforms.derived import INTERACTION_SEQUENCES
from warehouse.lake.derived import commit_files, derived_uri

MOMENT = START.timestamp() / 86_400 + 10


@pytest.fixture
def home(tmp_path: Path) -> TrainingSettings:
    """Published marts, Spark's sequences and one set of feature files with two products known."""
    settings = TrainingSettings(home=tmp_path, profile="test")
    settings.marts_path.parent.mkdir()
    catalog = products().with_columns(status=pl.lit("active")).drop("recommendable")
    order_lines = lines()
    with duckdb.connect(str(settings.marts_path)) as con:
        con.register("order_lines", order_lines.to_arrow())
        con.register("catalog", catalog.to_arrow())
        con.execute("CREATE TABLE fct_order_items AS SELECT * FROM order_lines")
        con.execute("CREATE TABLE dim_product AS SELECT * FROM catalog")
        con.execute("CREATE TABLE mart_watermark AS SELECT 4711::BIGINT AS lsn")
    write_sequences(settings.lake_uri, order_lines, lsn=4711)
    folder = tmp_path / "features" / "snapshots" / "one"
    folder.mkdir(parents=True)
    settings.current_features.symlink_to(folder)
    for entity, ids in (("product", ["p000", "p001"]), ("user", ["u001"]), ("shop", ["souk"])):
        stored = [column for column in numeric_columns(entity) if column.minus is None]  # type: ignore[arg-type]  # the three literals
        rows = [
            {f"{entity}_id": name, **dict.fromkeys((EVENT_TIMESTAMP, CREATED_TIMESTAMP), START + timedelta(days=day))}
            | {column.name: day + 1 for column in stored}
            for name in ids
            for day in (0, 20)
        ]
        pl.DataFrame(rows).write_parquet(folder / f"features_{entity}.parquet")
    return settings


def test_marts_and_features_of_one_watermark(home: TrainingSettings) -> None:
    data = read_inputs(home)

    assert data.watermark_lsn == 4711
    assert data.form == "orders"
    assert data.features is not None
    assert data.features.columns_hash == columns_hash()
    assert data.features.columns == tuple(column.name for column in numeric_columns("product", "user"))
    product = data.features.as_of("product", ["p000", "unknown"], MOMENT)
    names = [
        name for name, owner in zip(data.features.columns, data.features.entities, strict=True) if owner == "product"
    ]
    assert product[0, names.index("product__orders_7d")] == 1
    assert product[1, names.index("product__orders_7d")] == 0
    # computed when read: the shop's trading day (1 at this moment) less the first order's day (1; unknown products: its
    # default 0)
    assert product[:, names.index("product__days_since_first_order")].tolist() == [0, 1]
    assert data.features.as_of("user", ["u001"], MOMENT + 30)[0, 0] == 21


def test_missing_marts_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadTrainingData, match=r"souk\.duckdb"):
        read_inputs(TrainingSettings(home=tmp_path))


def test_shoppers_come_from_the_sequences_and_guests_from_the_marts(home: TrainingSettings) -> None:
    whole = training_data("lake", lines(), products(), 4711, None)

    read = read_inputs(home)

    assert replace(read, features=None).data_hash() == whole.data_hash()
    assert (read.events.user == GUEST).any()


def test_after_a_quick_refresh_the_older_watermark_counts(home: TrainingSettings) -> None:
    write_sequences(home.lake_uri, lines(), lsn=4000)

    assert read_inputs(home).watermark_lsn == 4000


def test_missing_sequences_are_named(home: TrainingSettings) -> None:
    with pytest.raises(
        BadTrainingData, match=r"interaction_sequences was never written .*; run the whole pipeline first"
    ):
        read_inputs(home.model_copy(update={"lake_uri": str(home.home / "other")}))


def write_sequences(lake: str, order_lines: pl.DataFrame, lsn: int) -> None:
    """Commit what the Spark job would make of these lines."""
    rows = (
        order_lines.drop_nulls("user_id")
        .sort("user_id", "ordered_at", "order_id", "product_id")
        .group_by("user_id", maintain_order=True)
    )
    table = rows.agg(
        pl.col("product_id").alias("product_ids"),
        pl.col("order_id").alias("order_ids"),
        pl.col("ordered_at").alias("timestamps"),
    )
    file = Path(derived_uri(lake, "interaction_sequences")) / f"{lsn}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.to_arrow().cast(INTERACTION_SEQUENCES), file)
    commit_files(lake, "interaction_sequences", [file], INTERACTION_SEQUENCES, metadata={"watermarkLsn": str(lsn)})


def _orders(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "order_lines.csv").write_text(f"order_id,ts,customer_id,country,item_id,quantity,unit_price\n{text}")
    return folder


def test_real_set_of_order_lines(tmp_path: Path) -> None:
    folder = _orders(
        tmp_path / "shop",
        "1,2011-01-01 08:26,7,UK,1,2,1.5\n1,2011-01-01 08:26,7,UK,2,-1,1.5\n2,2011-01-02 08:26,,UK,2,1,1.5\n",
    )
    (folder / "items.tsv").write_text('item_id\ttitle\n1\tCUP "BLUE\n2\tPLATE\n3\tPOSTAGE\n')

    data = read_set(folder)

    assert data.name == "shop"
    assert data.events.item.size == 2
    assert data.events.user.tolist() == [0, -1]
    assert data.dropped["cancelled_or_not_positive"] == 1
    assert data.catalog.recommendable.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,yesterday,7,UK,1,2,1.5\n", "line 2: ts is not a time"),
        ("1,2011-01-01 08:26,7,UK,1,two,1.5\n", "line 2: quantity is not a number"),
    ],
)
def test_a_bad_value_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadTrainingData, match=words):
        read_set(_orders(tmp_path / "shop", text))


def test_truncated_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadTrainingData, match="neither order_lines"):
        read_set(tmp_path)
    with pytest.raises(BadTrainingData, match="no such directory"):
        read_set(tmp_path / "absent" / "deeper")
    whole = gzip.compress(b"1 2 3\n" * 500)
    (tmp_path / "sequences.txt.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadTrainingData, match=r"sequences\.txt\.gz: unreadable"):
        read_set(tmp_path)


def test_sequences_keep_their_order_and_their_days(tmp_path: Path) -> None:
    (tmp_path / "sequences.txt").write_text("1 5 6 7\n2 6 5 7\n")
    (tmp_path / "interactions.csv").write_text(
        "user_id,position,item_id,day\n1,0,5,10\n1,1,6,10\n1,2,7,11\n2,0,6,9\n2,1,5,\n2,2,7,12\n"
    )

    data = read_set(tmp_path)

    assert data.timed
    ids = [data.catalog.product_ids[item] for item in data.events.item[data.events.user == 1]]
    assert ids == ["6", "5", "7"]
    assert data.events.time[data.events.user == 1].tolist() == [9, 9, 12]

"""The evaluation command on both forms of real sets, at tiny size."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.unit.training.orders import lines, products
from training.recommender.evaluate import main

pytestmark = pytest.mark.timeout(300)


def _order_lines(folder: Path) -> Path:
    """The small shop in the orders form."""
    folder.mkdir()
    frame = lines().select(
        "order_id",
        pl.col("ordered_at").dt.strftime("%Y-%m-%d %H:%M").alias("ts"),
        pl.col("user_id").fill_null("").alias("customer_id"),
        pl.col("product_id").alias("item_id"),
        "quantity",
        pl.lit(1.5).alias("unit_price"),
    )
    frame.write_csv(folder / "order_lines.csv")
    products().select(pl.col("product_id").alias("item_id"), "title").write_csv(folder / "items.tsv", separator="\t")
    return folder


@pytest.mark.slow
def test_orders_form_prints_one_json_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(_order_lines(tmp_path / "shop")), "--json", "--recipe", "tiny"]) == 0

    document = json.loads(capsys.readouterr().out)

    assert document["form"] == "orders"
    assert document["dropped"]["not_a_product"] == 640
    assert document["headline"]["shipped/ndcg@10"] > document["headline"]["popularity/ndcg@10"]
    protocols = {row["protocol"].split(";")[0] for row in document["rows"]}
    assert {"hidden basket line", "bought together, one seed"} <= protocols


@pytest.mark.slow
def test_sequences_form_without_days_is_evaluated_by_leave_one_out_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{user} " + " ".join(str((user + step) % 30 + 1) for step in range(6)) for user in range(1, 61)]
    (tmp_path / "sequences.txt").write_text("\n".join(rows) + "\n")

    assert main(["--data", str(tmp_path), "--json", "--recipe", "tiny"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["form"] == "sequences"
    assert {row["protocol"].split(";")[0].split(" (")[0] for row in document["rows"]} == {"leave one out, file order"}
    assert document["headline"]["shipped/ndcg@10"] > 0.9


def test_a_missing_set_is_one_line_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path / "nowhere" / "at all")]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert "no such directory" in err

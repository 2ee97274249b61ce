"""What the marts say of ratings follows each change of a review by its key alone, and equals a full run."""

import random
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.harness.lake_history import LakeHistory, RandomChanges
from tests.integration.conftest import BuiltMarts, transform_settings
from tests.integration.transforms.test_incremental import _wrong, copy_of, without_parent
from transforms.publish import connect


@pytest.fixture
def history(built_marts: BuiltMarts, tmp_path: Path) -> LakeHistory:
    return copy_of(built_marts, tmp_path)


@pytest.mark.slow
def test_ratings_follow_every_change_of_a_review_and_of_who_sells_its_product(
    history: LakeHistory, tmp_path: Path
) -> None:
    """Written, edited, rejected and published again, deleted, and a product that another seller takes over."""
    shop, now = history.shop, history.mark.commit_ts
    product = shop.rows["products"][1]
    shop.rows["reviews_by_user"] = [
        row for row in shop.rows["reviews_by_user"] if row["product_id"] != product["product_id"]
    ]
    for stars in (5, 4, 1):
        shop.add_traced_review(
            str(product["product_id"]), str(product["seller_id"]), stars, now, place="home", age=timedelta(days=90)
        )
    written = shop.rows["reviews_by_user"][-3:]
    for row in written:
        row["status"] = "published"

    def step(name: str, counts: list[int]) -> None:
        history.commit()
        assert {name: _wrong(history, tmp_path)} == {name: {}}
        with connect(transform_settings(tmp_path).state_path, read_only=True) as con:
            sums = ", ".join(f"coalesce(sum(reviews_{stars}), 0)::INT" for stars in range(1, 6))
            found = con.execute(
                f"SELECT {sums} FROM main.fct_product_ratings WHERE product_id = ? AND seller_id = ?",
                [product["product_id"], product["seller_id"]],
            ).fetchall()
        assert {name: list(found[0])} == {name: counts}

    step("written", [1, 0, 0, 1, 1])
    written[0]["rating"] = 2
    written[1]["status"] = "rejected"
    step("edited and rejected", [1, 1, 0, 0, 0])
    written[1]["status"] = "published"
    shop.rows["reviews_by_user"].remove(written[2])
    product["seller_id"] = next(
        row["seller_id"] for row in shop.rows["sellers"] if row["seller_id"] != product["seller_id"]
    )
    step("published again, deleted, of another seller", [0, 1, 0, 1, 0])


@pytest.mark.parametrize(
    ("kind", "link", "wrong"),
    [
        ("judge_review", ("fct_product_ratings", "int_reviews__dated"), {"fct_product_ratings"}),
        pytest.param(
            "move_product",
            ("int_reviews__dated", "int_products__joined"),
            {"int_reviews__dated", "fct_product_ratings"},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["reviews", "who sells what they are about"],
)
def test_the_comparison_finds_ratings_without_a_link(
    history: LakeHistory, tmp_path: Path, kind: str, link: tuple[str, str], wrong: set[str]
) -> None:
    changes = RandomChanges(history.shop, random.Random(3), history.mark.commit_ts)
    for _ in range(4):
        changes.make(kind)
    history.commit()

    found = _wrong(history, tmp_path, partial(without_parent, child=link[0], parent=link[1]))

    assert set(found) == wrong

"""Rows of reviews that a set has by a rule: each with its badge, its votes, and the ratings that follow."""

from collections.abc import Iterator

import polars as pl

from api.operations.load.history import History
from api.operations.load.rows_catalog import id_map, with_ids
from api.reviews.votes.helpfulness import wilson
from api.reviews.writing.commands import text_digest

ORIGIN = "generated"
_STARS = (1, 2, 3, 4, 5)


def keyed_reviews(history: History) -> pl.DataFrame | None:
    """`history.reviews` with the ids they refer to, their counts of votes and their helpfulness; None without any."""
    if history.reviews is None or history.votes is None:
        return None
    counts = history.votes.group_by("review_key").agg(
        pl.col("helpful").sum().cast(pl.Int64).alias("helpful_count"),
        (~pl.col("helpful")).sum().cast(pl.Int64).alias("not_helpful_count"),
    )
    placed = history.orders.select("order_key", placed_at="pending_at")
    orders = with_ids(history, placed, "order", "placed_at").select("order_key", "order_id")
    sellers = history.products.select("product_key", "seller_key").join(
        id_map(history, history.sellers, "seller"), on="seller_key", maintain_order="left"
    )
    joined = (
        with_ids(history, history.reviews, "review", "at")
        .join(id_map(history, history.products, "product", "listed_at"), on="product_key", maintain_order="left")
        .join(id_map(history, history.customers, "customer", "joined_at"), on="customer_key", maintain_order="left")
        .join(sellers.select("product_key", "seller_id"), on="product_key", maintain_order="left")
        .join(orders, on="order_key", how="left", maintain_order="left")
        .join(counts, on="review_key", how="left", maintain_order="left")
        .with_columns(pl.col("helpful_count", "not_helpful_count").fill_null(0))
    )
    votes = zip(joined["helpful_count"], joined["not_helpful_count"], strict=True)
    digests = zip(joined["title"], joined["comment"], strict=True)
    return joined.with_columns(
        pl.Series("helpfulness", [wilson(*counted) for counted in votes], dtype=pl.Float64),
        pl.Series("text_digest", [text_digest(*said) for said in digests], dtype=pl.String),
        pl.col("customer_id").alias("user_id"),
        pl.col("at").alias("created_at"),
        pl.col("order_id").is_not_null().alias("verified_purchase"),
        pl.lit("published").alias("status"),
        pl.lit(ORIGIN).alias("origin"),
    )


def ratings(keyed: pl.DataFrame) -> pl.DataFrame:
    """product_id, the five counters, average_rating and review_count."""
    return (
        keyed.group_by("product_id", maintain_order=True)
        .agg(
            *((pl.col("rating") == n).sum().cast(pl.Int64).alias(f"stars_{n}") for n in _STARS),
            pl.col("rating").sum().alias("sum"),
            pl.len().cast(pl.Int64).alias("review_count"),
            pl.col("at").max().alias("updated_at"),
        )
        .with_columns(average_rating=_average("sum"))
        .drop("sum")
    )


def rated(frame: pl.DataFrame, given: pl.DataFrame | None) -> pl.DataFrame:
    """Rows of products, or of their prices, with average_rating and review_count."""
    if given is None:
        return frame.with_columns(average_rating=pl.lit(0), review_count=pl.lit(0))
    known = given.select("product_id", "average_rating", "review_count")
    joined = frame.drop("average_rating", "review_count", strict=False).join(
        known, on="product_id", how="left", maintain_order="left"
    )
    return joined.with_columns(pl.col("average_rating", "review_count").fill_null(0))


def of_sellers(history: History, given: pl.DataFrame | None) -> pl.DataFrame | None:
    """seller_id, the sums of the ratings of the seller's products, and their average as `rating`; None without any."""
    if given is None:
        return None
    products = id_map(history, history.products, "product", "listed_at").join(
        history.products.select("product_key", "seller_key"), on="product_key", maintain_order="left"
    )
    sellers = id_map(history, history.sellers, "seller")
    return (
        given.join(products, on="product_id", maintain_order="left")
        .join(sellers, on="seller_key", maintain_order="left")
        .group_by("seller_id", maintain_order=True)
        .agg(
            pl.sum_horizontal(n * pl.col(f"stars_{n}") for n in _STARS).sum().alias("stars"),
            pl.col("review_count").sum(),
            pl.col("updated_at").max(),
        )
        .with_columns(_average("stars").alias("rating"))
    )


def _average(stars: str) -> pl.Expr:
    """Two places, as Postgres rounds: halves up."""
    count = pl.col("review_count")
    return ((pl.col(stars) * 200 + count) // (2 * count)) / 100


def months(history: History) -> list[str]:
    """The first moment of each month that has reviews."""
    if history.reviews is None:
        return []
    return history.reviews["at"].dt.strftime("%Y-%m-01T00:00:00Z").unique().sort().to_list()


def tables(
    history: History, keyed: pl.DataFrame | None, given: pl.DataFrame | None, of_stores: pl.DataFrame | None
) -> Iterator[tuple[str, pl.DataFrame]]:
    """In an order that satisfies the foreign keys; none without reviews."""
    if keyed is None or given is None or of_stores is None:
        return
    both = ("user_id", "product_id", "review_id", "seller_id", "order_id", "rating", "verified_purchase", "status")
    yield (
        "reviews_by_user",
        keyed.select(*both, "text_digest", "origin", "created_at", pl.col("at").alias("updated_at")),
    )
    counts = ("helpful_count", "not_helpful_count", "helpfulness")
    own = keyed.select(*both, *counts, "title", "comment", "origin", "created_at", pl.lit("en").alias("language"))
    yield "reviews", own
    if history.votes is not None:
        voters = id_map(history, history.customers, "customer", "joined_at")
        yield (
            "review_votes",
            history.votes.join(keyed.select("review_key", "review_id"), on="review_key", maintain_order="left")
            .join(voters, on="customer_key", maintain_order="left")
            .select(
                "review_id",
                pl.col("customer_id").alias("user_id"),
                "helpful",
                pl.col("at").alias("created_at"),
                pl.col("at").alias("updated_at"),
            ),
        )
    yield "product_ratings", given
    yield "seller_ratings", of_stores.drop("rating")

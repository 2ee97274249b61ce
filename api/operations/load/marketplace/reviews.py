"""Reviews of the generated marketplace, by a rule: they are examples, and say so (`origin` is `generated`).

Every product has a quality, drawn from its key: most are good and a few are poor. A shopper reviews what was delivered
to them in three of ten cases, and the first of a product in eight of ten; a product that nobody received has a review
of a shopper who had it elsewhere in seven of ten cases, without a badge. The stars are the quality, and how the day
was; the words are those of the stars. Of three in ten reviews other shoppers say whether they helped: mostly yes, less
often of few stars.
"""

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from api.operations.load.ids import Ids

RATE, FIRST, UNSOLD, VOTED = 0.3, 0.8, 0.7, 0.3
MOST_VOTES = 5
_OPENINGS = {
    1: ("Stopped working after a week.", "Not what the pictures promise.", "I sent it back.", "A waste of money."),
    2: ("Disappointing for the price.", "It works, but barely.", "Looks better than it is.", "I expected more."),
    3: ("It does the job.", "Neither good nor bad.", "Fine for what it costs.", "Decent, with limits."),
    4: ("Good value.", "Does what it says.", "I would buy it again.", "Almost perfect."),
    5: ("Excellent in every way.", "Better than expected.", "Exactly what I needed.", "I recommend it to everybody."),
}
_MIDDLES = {
    1: ("The material feels cheap", "The fit is wrong", "It arrived with scratches", "The instructions make no sense"),
    2: ("The finish is uneven", "It is louder than described", "The colour is off", "One part came loose"),
    3: ("The build is average", "It took a while to get used to", "The size runs small", "The packaging was plain"),
    4: ("It is well made", "It was easy to set up", "The colour is as shown", "It feels solid"),
    5: ("The quality is superb", "Setting it up took a minute", "It looks great", "It is sturdy and light"),
}
_ENDINGS = {
    1: ("and nobody answered my mail.", "and I cannot use it.", "so I want my money back.", "and it shows."),
    2: ("so I keep it as a spare.", "and that should not be.", "which is a pity.", "but it was cheap."),
    3: ("and I have no complaints.", "but it is all right.", "so it depends on what you need.", "as one would expect."),
    4: ("and I use it daily.", "with one small flaw.", "and it arrived early.", "for a fair price."),
    5: ("and I use it every day.", "and my family loves it.", "even after weeks of use.", "and worth every cent."),
}


def build_reviews(
    ids: Ids, products: pl.DataFrame, orders: pl.DataFrame, bought: pl.DataFrame, *, customers: int, until: datetime
) -> pl.DataFrame:
    """review_key, customer_key, product_key, order_key?, rating, title, comment, at; one of each shopper and product.

    `bought`: order_key, customer_key, product_key of every line.
    """
    verified = _of_buyers(ids, orders, bought, until)
    unsold = products.join(verified.select("product_key"), on="product_key", how="anti", maintain_order="left")
    heard = unsold.filter(pl.Series(ids.fraction("unsold review", unsold["product_key"]) < UNSOLD, dtype=pl.Boolean))
    others = heard.select(
        pl.Series("customer_key", _below(ids, "unsold reviewer", heard["product_key"], customers), dtype=pl.Int64),
        pl.col("product_key").cast(pl.Int64),
        pl.lit(None, dtype=pl.Int64).alias("order_key"),
        pl.col("listed_at").alias("after"),
    )
    written = pl.concat([verified, others]).sort("after", "product_key", "customer_key").with_row_index("review_key")
    written = written.with_columns(pl.col("review_key").cast(pl.Int64))
    rating = _rating(ids, written)
    spread = pl.Series("spread", ids.fraction("review time", written["review_key"]))
    latest = pl.lit(until, dtype=pl.Datetime("us", "UTC"))
    wait = pl.min_horizontal(latest - pl.col("after"), pl.duration(days=30))
    waited = (wait.dt.total_microseconds() * pl.col("spread")).cast(pl.Int64).cast(pl.Duration("us"))
    return written.with_columns(rating, spread).select(
        *("review_key", "customer_key", "product_key", "order_key", "rating"),
        *_words(ids, written["review_key"], rating),
        (pl.col("after") + waited).alias("at"),
    )


def build_votes(ids: Ids, reviews: pl.DataFrame, customers: int) -> pl.DataFrame:
    """review_key, customer_key, helpful; one of each shopper and review, none of its author's."""
    voted = reviews.filter(pl.Series(ids.fraction("voted", reviews["review_key"]) < VOTED, dtype=pl.Boolean))
    frames = []
    for place in range(MOST_VOTES):
        luck = pl.Series(ids.fraction(f"vote {place}", voted["review_key"]))
        some = voted.filter(luck > place / MOST_VOTES)
        voter = pl.Series("voter", _below(ids, f"voter {place}", some["review_key"], customers), dtype=pl.Int64)
        mood = pl.Series("mood", ids.fraction(f"mood {place}", some["review_key"]))
        frames.append(
            some.with_columns(voter, mood).select(
                "review_key",
                pl.col("voter").alias("customer_key"),
                (pl.col("mood") < 0.5 + pl.col("rating") * 0.08).alias("helpful"),
                pl.col("customer_key").alias("author"),
                "at",
            )
        )
    votes = pl.concat(frames).filter(pl.col("customer_key") != pl.col("author")).drop("author")
    return votes.unique(["review_key", "customer_key"], keep="first", maintain_order=True)


def _of_buyers(ids: Ids, orders: pl.DataFrame, bought: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """customer_key, product_key, order_key and `after`, when it was delivered."""
    delivered = orders.filter(pl.col("delivered_at").is_not_null() & (pl.col("delivered_at") <= until))
    lines = (
        bought.join(delivered.select("order_key", after="delivered_at"), on="order_key", how="inner")
        .sort("after", "order_key")
        .unique(["customer_key", "product_key"], keep="first", maintain_order=True)
        .with_columns(pl.int_range(pl.len()).over("product_key").alias("place"))
    )
    key = lines["order_key"].cast(pl.Int64) * 1_000_003 + lines["product_key"].cast(pl.Int64)
    first = pl.when(pl.col("place") == 0).then(FIRST).otherwise(RATE)
    return lines.filter(pl.Series(ids.fraction("reviewed", key)) < first).select(
        pl.col("customer_key").cast(pl.Int64),
        pl.col("product_key").cast(pl.Int64),
        pl.col("order_key").cast(pl.Int64),
        "after",
    )


def _below(ids: Ids, kind: str, keys: pl.Series, count: int) -> NDArray[np.int64]:
    return np.floor(ids.fraction(kind, keys) * count).astype(np.int64)


def _rating(ids: Ids, written: pl.DataFrame) -> pl.Series:
    quality = 2.4 + 2.5 * np.sqrt(ids.fraction("quality", written["product_key"]))
    day = sum(ids.fraction(f"day {n}", written["review_key"]) for n in range(3)) - 1.5
    return pl.Series("rating", np.clip(np.rint(quality + 1.7 * day), 1, 5).astype(np.int64))


def _words(ids: Ids, keys: pl.Series, rating: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Title and comment."""
    opening, middle, ending = (_below(ids, name, keys, 4) for name in ("opening", "middle", "ending"))
    texts = list(zip(rating.to_list(), opening.tolist(), middle.tolist(), ending.tolist(), strict=True))
    titles = [_OPENINGS[stars][o].rstrip(".") for stars, o, _, _ in texts]
    comments = [f"{_OPENINGS[stars][o]} {_MIDDLES[stars][m]} {_ENDINGS[stars][e]}" for stars, o, m, e in texts]
    return pl.Series("title", titles, dtype=pl.String), pl.Series("comment", comments, dtype=pl.String)

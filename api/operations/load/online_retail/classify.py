"""Classifies each line of a retail set: a product sold, a product returned, shipping, or no trade in a product.

The rule, for any set of this form (in brackets: examples of the UCI set):
- An item is *shipping* when every word of its title is about sending goods (POSTAGE, DOTCOM POSTAGE, CARRIAGE, Next
  Day Carriage).
- An item is a *fee or adjustment* when its title says so (AMAZON FEE, Bank Charges, Manual, Discount, CRUK Commission,
  Adjust bad debt, SAMPLES, gift vouchers); when its code has no digit; or when its price varies like an amount: at
  least 10 different prices, and at least 4 in 10 lines (Manual has 260 prices in 572 lines, a mug has 6 in 400).
- Every other item is a *product*. Stock room notes ("damaged", "found", "?") never have a price, so their lines are not
  loaded.
- A line counts when its price is above zero and in whole cents, and its quantity is not zero. Lines with price <= 0 are
  adjustments.
"""

import polars as pl

_SHIPPING_CORE = "POSTAGE|CARRIAGE|SHIPPING|FREIGHT|COURIER|DELIVERY"
_SHIPPING_WORDS = (
    f"{_SHIPPING_CORE}|DOTCOM|NEXT|SAME|DAY|EXPRESS|STANDARD|INTERNATIONAL|AND|PACKING|PACKAGING"
    "|CHARGE|CHARGES|COST|COSTS|FEE|FEES"
)
SHIPPING = rf"^(?:(?:{_SHIPPING_WORDS}|&)\s*)*(?:{_SHIPPING_CORE})\s*(?:(?:{_SHIPPING_WORDS}|&)\s*)*$"
FEE = (
    r"^(?:MANUAL|DISCOUNT|SAMPLES?|SHOW SAMPLES|TEST.*)$"
    r"|\b(?:FEES?|BANK CHARGES?|CHARGES|COMMISSION|BAD DEBT|ADJUST(?:MENT|MENTS)?|VOUCHERS?|GIFT CERTIFICATE|CREDIT"
    r" NOTE|REFUND)\b"
)
AMOUNT_PRICES = 10
AMOUNT_SHARE = 0.4


def item_kinds(lines: pl.DataFrame) -> pl.DataFrame:
    """item_id, title (the commonest one of priced lines), item_kind: product, shipping or fee.

    One row per item of the set.
    """
    titles = (
        lines.filter(pl.col("title").is_not_null())
        .group_by("item_id", "title")
        .agg((pl.col("cents") > 0).sum().alias("priced"), pl.len().alias("count"))
        .sort("item_id", "priced", "count", "title", descending=[False, True, True, False])
        .unique("item_id", keep="first", maintain_order=True)
        .select("item_id", "title")
    )
    plain_codes = lines["item_id"].str.contains(r"^\d+$").all()
    upper = pl.col("title").fill_null("").str.to_uppercase().str.strip_chars(" .*?!")
    behaviour = lines.group_by("item_id").agg(pl.len().alias("count"), pl.col("price").n_unique().alias("prices"))
    amount = (pl.col("prices") >= AMOUNT_PRICES) & (pl.col("prices") >= AMOUNT_SHARE * pl.col("count"))
    no_digit = pl.lit(not plain_codes) & ~pl.col("item_id").str.contains(r"\d")
    return (
        behaviour.join(titles, on="item_id", how="left")
        .with_columns(
            item_kind=pl.when(upper.str.contains(SHIPPING))
            .then(pl.lit("shipping"))
            .when(upper.str.contains(FEE) | amount | no_digit | pl.col("title").is_null())
            .then(pl.lit("fee"))
            .otherwise(pl.lit("product"))
        )
        .select("item_id", "title", "item_kind")
        .sort("item_id")
    )


def classify(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with the item's title and `part`: sale, back, shipping or `report:REASON`; sales
    and backs are of products at real prices."""
    kinds = item_kinds(lines)
    reason = (
        pl.when(pl.col("quantity") == 0)
        .then(pl.lit("report:no-quantity"))
        .when(pl.col("price").cast(pl.Float64) <= 0)
        .then(pl.lit("report:no-price"))
        .when(pl.col("item_kind") == "fee")
        .then(pl.lit("report:fee-or-adjustment"))
        .when(pl.col("cents").is_null())
        .then(pl.lit("report:price-not-in-cents"))
        .when((pl.col("item_kind") == "shipping") & (pl.col("quantity") < 0))
        .then(pl.lit("report:shipping-credit"))
        .when(pl.col("item_kind") == "shipping")
        .then(pl.lit("shipping"))
        .when(pl.col("quantity") < 0)
        .then(pl.lit("back"))
        .otherwise(pl.lit("sale"))
    )
    columns = [name for name in lines.columns if name != "title"]
    return (
        lines.select(columns)
        .join(kinds, on="item_id", how="left", maintain_order="left")
        .with_columns(part=reason)
        .drop("item_kind")
    )

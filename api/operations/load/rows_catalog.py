"""Rows of people, catalog and warehouses."""

import polars as pl

from api.operations.load.history import UNUSABLE_PASSWORD, History

# What lists sort and filter by, of the columns of `products`.
LISTED = ("product_id", "category_id", "seller_id", "brand", "prime_eligible", "created_at")


def money(cents: str) -> pl.Expr:
    """Column `cents` (non-negative integer cents) as a decimal text with two places."""
    return pl.col(cents).floordiv(100).cast(pl.String) + "." + pl.col(cents).mod(100).cast(pl.String).str.zfill(2)


def _maybe(frame: pl.DataFrame, column: str) -> pl.Expr:
    """A column of texts that a set may lack: then it is null."""
    there = pl.col(column) if column in frame.columns else pl.lit(None)
    return there.cast(pl.String).alias(column)


def with_ids(history: History, frame: pl.DataFrame, kind: str, at: str | None = None) -> pl.DataFrame:
    """`frame` with `<kind>_id` from `<kind>_key` and the time column `at` (default: when the set's shop opened)."""
    times = frame[at] if at else opened(history, frame.height)
    return frame.with_columns(history.ids.column(kind, frame[f"{kind}_key"], times).alias(f"{kind}_id"))


def opened(history: History, rows: int) -> pl.Series:
    """The set's first instant, once per row."""
    return pl.Series("opened_at", [history.opened_at], dtype=pl.Datetime("us", "UTC")).new_from_index(0, rows)


def id_map(history: History, frame: pl.DataFrame, kind: str, at: str | None = None) -> pl.DataFrame:
    """Two columns: `<kind>_key`, `<kind>_id`."""
    return with_ids(history, frame, kind, at).select(f"{kind}_key", f"{kind}_id")


def users(history: History) -> pl.DataFrame:
    """Sellers and customers as users who cannot sign in."""
    sellers = with_ids(history, history.sellers, "seller").select(
        pl.col("seller_id").alias("user_id"),
        "email",
        "name",
        user_type=pl.lit("seller"),
        created_at=opened(history, history.sellers.height),
    )
    customers = with_ids(history, history.customers, "customer", "joined_at").select(
        pl.col("customer_id").alias("user_id"),
        "email",
        "name",
        user_type=pl.lit("customer"),
        created_at=pl.col("joined_at"),
    )
    return pl.concat([sellers, customers]).with_columns(
        password_hash=pl.lit(UNUSABLE_PASSWORD), origin=pl.lit("import"), updated_at=pl.col("created_at")
    )


def sellers(history: History, rated: pl.DataFrame | None) -> pl.DataFrame:
    """Verified; `rated`: the `rating` by seller_id of those that have one."""
    keyed = with_ids(history, history.sellers, "seller").with_columns(rating=pl.lit(0.0))
    if rated is not None:
        ratings = rated.select("seller_id", "rating")
        keyed = keyed.update(ratings, on="seller_id", maintain_order="left")
    return keyed.select(
        "seller_id",
        "rating",
        "name",
        "country",
        verified=pl.lit("true"),
        origin=pl.lit("import"),
        created_at=opened(history, history.sellers.height),
        updated_at=opened(history, history.sellers.height),
    )


def categories(history: History) -> pl.DataFrame:
    """Parents before children, so that each row's parent exists."""
    keyed = with_ids(history, history.categories, "category")
    parents = keyed.select(
        pl.col("category_key").alias("parent_key"), pl.col("category_id").alias("parent_category_id")
    )
    return (
        keyed.join(parents, on="parent_key", how="left", maintain_order="left")
        .sort("level", maintain_order=True)
        .select(
            *("category_id", "name", "parent_category_id", "path", "level"),
            names=_maybe(keyed, "names"),
            created_at=opened(history, keyed.height),
        )
    )


def warehouses(history: History) -> pl.DataFrame:
    """The set's warehouses."""
    return with_ids(history, history.warehouses, "warehouse").select(
        "warehouse_id",
        "code",
        "name",
        "city",
        "country",
        "latitude",
        "longitude",
        "time_zone",
        created_at=opened(history, history.warehouses.height),
    )


def products(history: History) -> pl.DataFrame:
    """Active products. One with a GTIN is the article that its lowest says."""
    gtin = _maybe(history.variants, "gtin")
    numbered = history.variants.group_by("product_key").agg(gtin.min())
    return (
        with_ids(history, history.products, "product", "listed_at")
        .join(id_map(history, history.sellers, "seller"), on="seller_key", maintain_order="left")
        .join(id_map(history, history.categories, "category"), on="category_key", maintain_order="left")
        .join(numbered.drop_nulls(), on="product_key", how="left", maintain_order="left")
        .select(
            "product_id",
            "seller_id",
            "category_id",
            "title",
            "description",
            "brand",
            money("price_cents").alias("base_price"),
            money("list_price_cents").alias("list_price"),
            pl.lit(history.currency).alias("currency"),
            "prime_eligible",
            "specifications",
            _maybe(history.products, "translations"),
            pl.col("gtin").str.zfill(32).alias("article_id"),
            pl.lit("import").alias("origin"),
            pl.col("listed_at").alias("created_at"),
            pl.col("listed_at").alias("updated_at"),
        )
    )


def keyed_variants(history: History) -> pl.DataFrame:
    """`history.variants` with variant_id, product_id, seller_id, warehouse_id,
    listed_at, product_price_cents: what lines and stock refer to."""
    listed = history.products.select(
        "product_key", "seller_key", "listed_at", pl.col("price_cents").alias("product_price_cents")
    )
    return (
        with_ids(
            history, history.variants.join(listed, on="product_key", maintain_order="left"), "variant", "listed_at"
        )
        .join(id_map(history, history.products, "product", "listed_at"), on="product_key", maintain_order="left")
        .join(id_map(history, history.sellers, "seller"), on="seller_key", maintain_order="left")
        .join(id_map(history, history.warehouses, "warehouse"), on="warehouse_key", maintain_order="left")
    )


def variants(keyed: pl.DataFrame, final_stock: pl.DataFrame) -> pl.DataFrame:
    """`final_stock`: variant_id, stock_quantity after the whole history. One that costs what its product does follows
    the product's price."""
    own = pl.col("price_cents") != pl.col("product_price_cents")
    return keyed.join(final_stock, on="variant_id", maintain_order="left").select(
        "variant_id",
        "product_id",
        "seller_id",
        "sku",
        "attributes",
        _maybe(keyed, "gtin"),
        money("price_cents").alias("price"),
        pl.when(own).then(money("price_cents")).alias("own_price"),
        "stock_quantity",
        "warehouse_id",
        pl.col("listed_at").alias("created_at"),
        pl.col("listed_at").alias("updated_at"),
    )


def price_points(listed: pl.DataFrame, keyed: pl.DataFrame, final_stock: pl.DataFrame) -> pl.DataFrame:
    """`listed`: LISTED of all products, which are on sale; `keyed` and `final_stock` as in `variants`. Without ratings
    (`rows_reviews.rated`)."""
    in_stock = pl.col("stock_quantity") > 0
    shown = (
        keyed.join(final_stock, on="variant_id")
        .select("product_id", "price_cents", in_stock=in_stock.any().over("product_id"), mine=in_stock)
        .filter(pl.col("mine") == pl.col("in_stock"))
        .unique(["product_id", "price_cents"])
        .sort("product_id", "price_cents")
        .with_columns(lower_cents=pl.col("price_cents").shift().over("product_id"))
    )
    return listed.join(shown, on="product_id", how="inner", maintain_order="left_right").select(
        *LISTED,
        money("price_cents").alias("price"),
        money("lower_cents").alias("lower_price"),
        "in_stock",
        pl.lit(True).alias("on_sale"),
    )


def counters(price_points: pl.DataFrame) -> pl.DataFrame:
    """A row per product, before anything was sold or viewed."""
    return price_points.filter(pl.col("lower_price").is_null()).select(
        "product_id", "category_id", "on_sale", "in_stock", "prime_eligible"
    )

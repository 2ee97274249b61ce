"""Which products are ordered together: support, confidence and lift of product pairs."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as sf

MAX_BASKET = 100
"""Orders with more distinct products make no pairs. They are wholesale lists, not a taste, and n products cost n(n-1)/2
pairs."""
MIN_ORDERS = 2
"""Pairs seen in fewer orders are chance."""
MAX_PARTNERS = 100
"""Partners kept per product, those with most orders in common: the result grows with the catalog, not with its
square."""

COLUMNS = ("product_a", "product_b", "orders_together", "orders_a", "orders_b", "support", "confidence", "lift")


def co_purchase(
    lines: DataFrame, *, max_basket: int = MAX_BASKET, min_orders: int = MIN_ORDERS, max_partners: int = MAX_PARTNERS
) -> DataFrame:
    """Ordered pairs (a, b), a != b, of products that share orders.

    lines: order_id, product_id; repeats inside an order count once. orders_a and orders_b count every order, wholesale
    lists too. support = together / all orders; confidence = together / orders_a = P(b | a); lift = together * all
    orders / (orders_a * orders_b). Both directions of a pair are rows, because confidence differs. Ties at
    `max_partners` go to the smaller product_b.
    """
    bought = lines.select("order_id", "product_id").distinct()
    products = _numbered(bought)
    coded = bought.join(sf.broadcast(products.select("product_id", "number")), "product_id").select(
        "order_id", "number"
    )
    counted = _pairs(coded, max_basket).groupBy("pair").agg(sf.count("*").alias("orders_together"))
    counted = counted.where(sf.col("orders_together") >= min_orders)
    low, high = sf.shiftright("pair", 32).cast("int"), sf.col("pair").bitwiseAND(0xFFFFFFFF).cast("int")
    sides = sf.array(sf.struct(low.alias("a"), high.alias("b")), sf.struct(high.alias("a"), low.alias("b")))
    named = counted.select(sf.explode(sides).alias("side"), "orders_together").select(
        "side.a", "side.b", "orders_together"
    )
    for side in ("a", "b"):
        names = products.select(
            sf.col("number").alias(side),
            sf.col("product_id").alias(f"product_{side}"),
            sf.col("orders").alias(f"orders_{side}"),
        )
        named = named.join(sf.broadcast(names), side)
    best_first = Window.partitionBy("product_a").orderBy(sf.col("orders_together").desc(), "product_b")
    kept = named.withColumn("_rank", sf.row_number().over(best_first)).where(sf.col("_rank") <= max_partners)
    return _with_measures(kept, bought).select(*COLUMNS)


def _with_measures(pairs: DataFrame, bought: DataFrame) -> DataFrame:
    total = bought.agg(sf.count_distinct("order_id").cast("double").alias("total_orders"))
    together = sf.col("orders_together").cast("double")
    orders_a, orders_b = sf.col("orders_a").cast("double"), sf.col("orders_b").cast("double")
    return (
        pairs.crossJoin(sf.broadcast(total))
        .withColumn("support", together / sf.col("total_orders"))
        .withColumn("confidence", together / orders_a)
        .withColumn("lift", together * sf.col("total_orders") / (orders_a * orders_b))
    )


def _numbered(bought: DataFrame) -> DataFrame:
    """product_id, number (int, by product_id), orders.

    A pair of numbers fits one long, so counting pairs moves 8 bytes instead of two UUIDs.
    """
    counts = bought.groupBy("product_id").agg(sf.count("*").alias("orders"))
    return counts.withColumn("number", sf.row_number().over(Window.orderBy("product_id")))


def _pairs(coded: DataFrame, max_basket: int) -> DataFrame:
    """pair: every low < high of one order, as low * 2^32 + high.

    Computed by a join, because Spark compiles joins and interprets array lambdas.
    """
    sizes = (
        coded.groupBy("order_id").agg(sf.count("*").alias("products")).where(sf.col("products").between(2, max_basket))
    )
    kept = coded.join(sizes.select("order_id"), "order_id", "left_semi")
    lower = kept.select("order_id", sf.col("number").alias("low"))
    higher = kept.select("order_id", sf.col("number").alias("high"))
    pair = sf.shiftleft(sf.col("low").cast("bigint"), 32) + sf.col("high").cast("bigint")
    return lower.join(higher, "order_id").where(sf.col("low") < sf.col("high")).select(pair.alias("pair"))

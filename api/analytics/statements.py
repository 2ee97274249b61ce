"""The SQL of the published marts, in DuckDB's dialect."""

WATERMARK = "SELECT lsn_text, as_of FROM mart_watermark"
SALES = """
    SELECT currency, order_date, orders, units, gross_sales + cancelled_sales, -returned_units, -returned_amount,
           net_sales
    FROM mart_seller__sales_day WHERE seller_id = ? AND order_date BETWEEN ? AND ? ORDER BY order_date
"""
# Marts of an earlier release know no cause but cancellations.
RESTATEMENTS = """
    SELECT order_date, restated_on, orders, amount, coalesce(cause, 'cancelled')
    FROM (FROM mart_seller__restatement UNION ALL BY NAME SELECT NULL::VARCHAR AS cause WHERE false)
    WHERE seller_id = ? AND currency = ? AND order_date BETWEEN ? AND ?
    ORDER BY order_date DESC, restated_on DESC, cause
"""
# Marts of an earlier release know subtotals only.
PRODUCTS = """
    SELECT i.product_id, any_value(p.title), sum(i.quantity)::BIGINT, sum(coalesce(i.goods_amount, i.subtotal))
    FROM (FROM fct_order_items UNION ALL BY NAME SELECT NULL::DECIMAL(12, 2) AS goods_amount WHERE false) i
    JOIN dim_product p USING (product_id)
    WHERE i.seller_id = ? AND i.currency = ? AND NOT i.is_cancelled AND i.order_date BETWEEN ? AND ?
    GROUP BY 1 ORDER BY 4 DESC LIMIT 500
"""
LAST = "SELECT max(order_date), mode(currency) FROM mart_seller__sales_day WHERE seller_id = ? AND order_date < ?"
DELIVERIES = """
    SELECT coalesce(sum(parcels), 0)::BIGINT, coalesce(sum(delivered), 0)::BIGINT, coalesce(sum(on_time), 0)::BIGINT
    FROM mart_seller__delivery_day WHERE seller_id = ? AND promised_on BETWEEN ? AND ?
"""
RATINGS = """
    SELECT sum(reviews_1)::BIGINT, sum(reviews_2)::BIGINT, sum(reviews_3)::BIGINT, sum(reviews_4)::BIGINT,
           sum(reviews_5)::BIGINT, sum(verified)::BIGINT
    FROM fct_product_ratings WHERE seller_id = ? AND reviewed_on BETWEEN ? AND ? HAVING count(*) > 0
"""
RATED_PRODUCTS = """
    SELECT p.title, sum(r.stars)::BIGINT, sum(r.reviews)::BIGINT
    FROM fct_product_ratings r JOIN dim_product p USING (product_id)
    WHERE r.seller_id = ? AND p.status <> 'deleted'
    GROUP BY p.product_id, p.title
    ORDER BY sum(r.stars) / sum(r.reviews), sum(r.reviews) DESC, p.title LIMIT ?
"""
COVER = "SELECT variant_id, units_30d FROM mart_seller__stock WHERE seller_id = ? AND units_30d > 0"
# When both products are the seller's, the mart has both directions of the pair; the
# one with the higher confidence is shown.
PAIRS = """
    SELECT title, with_title, orders_together, lift, pairs_lsn_text
    FROM mart_product__bought_together WHERE seller_id = ?
    QUALIFY row_number() OVER (
        PARTITION BY least(product_id, with_product_id), greatest(product_id, with_product_id) ORDER BY confidence DESC,
        product_id
    ) = 1
    ORDER BY orders_together DESC, lift DESC, product_id, with_product_id LIMIT ?
"""
WITHHELD = "SELECT DISTINCT kind, name, rule FROM mart_withheld WHERE seller_id = ? ORDER BY ALL LIMIT ?"
SUSPICIONS = (
    "SELECT review_id, pattern, accounts, score FROM fct_review_suspicions ORDER BY written_at, review_id, pattern"
)

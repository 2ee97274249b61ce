"""The SQL of a judgement: what is known of a product, in one read whose cost does not follow the shop."""

from sqlalchemy import text

# The prices of others are those of the newest products of the category. `median`, not a mean: one absurd price does
# not move what is usual.
FACTS = text(
    """
    WITH newest AS MATERIALIZED (
        SELECT n.base_price, n.seller_id FROM products n
        WHERE n.category_id = (SELECT category_id FROM products WHERE product_id = :product_id)
          AND n.status = 'active' AND n.product_id <> :product_id
        ORDER BY n.product_id DESC LIMIT :compared)
    SELECT p.seller_id, p.title, p.brand, p.description, p.specifications, p.translations, c.path AS category_path,
           v.lowest, v.highest, v.options, o.usual, o.compared,
           (SELECT count(*) FROM product_images i WHERE i.product_id = p.product_id)
           + (SELECT count(*) FROM awaited_images i
              WHERE i.product_id = p.product_id AND i.next_try IS NOT NULL) AS pictures,
           EXISTS (SELECT FROM products a
                   WHERE a.identity = p.identity AND a.deleted_at IS NULL AND a.seller_id <> p.seller_id) AS same_thing,
           EXISTS (SELECT FROM product_variants w
                   JOIN product_variants t ON t.gtin = w.gtin AND t.removed_at IS NULL
                   JOIN products a ON a.product_id = t.product_id
                   WHERE w.product_id = p.product_id AND w.removed_at IS NULL AND w.gtin IS NOT NULL
                     AND a.seller_id <> p.seller_id AND lower(a.brand) <> lower(p.brand)) AS other_brand,
           (SELECT jsonb_build_array(d.decision, d.findings) FROM product_decisions d
            WHERE d.product_id = p.product_id ORDER BY d.decision_id DESC LIMIT 1) AS decided,
           (SELECT d.decision FROM product_decisions d
            WHERE d.product_id = p.product_id AND d.decided_by IS NOT NULL
            ORDER BY d.decision_id DESC LIMIT 1) AS ruled,
           (SELECT d.findings FROM product_decisions d
            WHERE d.product_id = p.product_id AND d.decided_by IS NOT NULL AND d.decision = 'approved'
            ORDER BY d.decision_id DESC LIMIT 1) AS approved
    FROM products p
    JOIN categories c ON c.category_id = p.category_id
    CROSS JOIN LATERAL (
        SELECT coalesce(min(w.price), p.base_price) AS lowest, coalesce(max(w.price), p.base_price) AS highest,
               coalesce(jsonb_agg(w.attributes), '[]') AS options
        FROM product_variants w WHERE w.product_id = p.product_id AND w.removed_at IS NULL) v
    CROSS JOIN LATERAL (
        SELECT CAST(percentile_cont(0.5) WITHIN GROUP (ORDER BY n.base_price) AS numeric(12, 2)) AS usual,
               count(*) AS compared
        FROM newest n WHERE n.seller_id <> p.seller_id) o
    WHERE p.product_id = :product_id"""
)
# The oldest first, of those whose sellers are verified or have nothing to wait for.
QUEUE = text(
    """
    INSERT INTO queued_products (product_id, seller_id, unverified, score, findings)
    VALUES (:product_id, :seller_id, :unverified, :score, CAST(:findings AS jsonb))
    ON CONFLICT (product_id) DO UPDATE
    SET unverified = excluded.unverified, score = excluded.score, findings = excluded.findings"""
)

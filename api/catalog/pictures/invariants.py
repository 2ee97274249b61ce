"""Invariants of a product's pictures."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I41-own",
        "what a product shows is a picture of the shop, and the product is noted as one that uses it",
        """
        SELECT i.image_id, i.product_id, i.url, i.picture FROM product_images i
        WHERE i.url IS DISTINCT FROM '/api/v1/media/' || i.picture || '/1200.webp'
           OR NOT EXISTS (
             SELECT FROM picture_uses u
             WHERE u.name = i.picture AND u.owner_kind = 'product' AND u.owner_id = i.product_id
               AND u.released_at IS NULL)
        """,
    ),
    Check(
        "R-I41-awaited",
        "a picture is awaited for a product that is not deleted, of its seller, and at a place of its own",
        """
        SELECT a.image_id, a.product_id, a.position FROM awaited_images a JOIN products p USING (product_id)
        WHERE p.deleted_at IS NOT NULL OR a.seller_id <> p.seller_id
           OR EXISTS (SELECT FROM product_images i WHERE i.product_id = a.product_id AND i.position = a.position)
           OR EXISTS (
             SELECT FROM awaited_images o
             WHERE o.product_id = a.product_id AND o.image_id <> a.image_id
               AND (o.position = a.position OR o.source = a.source))
        """,
    ),
)

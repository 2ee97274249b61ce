select
    -- ids
    product_a as product_id,
    product_b as with_product_id,

    -- numerics
    orders_together,
    orders_a as orders,
    orders_b as with_orders,
    support,
    confidence,
    lift,
    watermark_lsn,

    -- words
    watermark_lsn_text
from {{ source('derived', 'co_purchase') }}

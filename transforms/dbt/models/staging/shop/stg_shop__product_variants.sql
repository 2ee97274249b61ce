select
    -- ids
    variant_id,
    product_id,

    -- numerics
    cast(price as decimal(12, 2)) as price,
    stock_quantity,

    -- words
    sku,
    attributes,

    -- timestamps
    created_at
from {{ source('lake', 'product_variants') }}

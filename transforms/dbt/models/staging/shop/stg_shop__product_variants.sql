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

    -- flags
    removed_at is not null as is_removed,

    -- timestamps
    created_at
from {{ source('lake', 'product_variants') }}

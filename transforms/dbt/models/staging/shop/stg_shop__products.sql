select
    -- ids
    product_id,
    seller_id,
    category_id,

    -- numerics
    cast(base_price as decimal(12, 2)) as base_price,

    -- words
    title,
    brand,
    currency,
    status,
    deleted_at is not null as is_deleted,

    -- timestamps
    created_at
from {{ source('lake', 'products') }}

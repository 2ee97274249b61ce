select
    -- ids
    review_id,
    product_id,
    seller_id,
    user_id,
    order_id,

    -- numerics
    rating,

    -- booleans
    verified_purchase,

    -- words
    status,
    origin,

    -- timestamps
    created_at
from {{ source('lake', 'reviews_by_user') }}

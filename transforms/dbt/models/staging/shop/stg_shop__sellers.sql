select
    -- ids
    seller_id,

    -- numerics
    cast(rating as decimal(3, 2)) as rating,

    -- words
    name,
    country,

    -- timestamps
    created_at
from {{ source('lake', 'sellers') }}

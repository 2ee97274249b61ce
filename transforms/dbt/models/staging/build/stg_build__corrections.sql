select
    -- ids
    seller_id,

    -- words
    currency,
    cause,

    -- numerics
    amount,

    -- dates
    order_date,
    corrected_on
from {{ source('build', 'corrections') }}

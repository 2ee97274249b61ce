select
    -- ids
    review_id,

    -- words
    address,
    device
from {{ source('lake', 'review_signals') }}

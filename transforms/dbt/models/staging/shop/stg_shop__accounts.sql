select
    -- ids
    user_id,

    -- timestamps
    created_at as registered_at
from {{ source('lake', 'users') }}

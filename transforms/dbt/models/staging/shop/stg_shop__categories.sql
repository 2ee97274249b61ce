select
    -- ids
    category_id,
    parent_category_id,

    -- numerics
    level,

    -- words
    name,
    path
from {{ source('lake', 'categories') }}

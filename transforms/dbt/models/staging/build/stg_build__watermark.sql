select
    -- numerics
    lsn,

    -- words
    lsn_text,

    -- timestamps
    as_of,
    built_at
from {{ source('build', 'watermark') }}

select
    -- ids
    key,

    -- words
    kind,
    rule,

    -- timestamps
    since
from {{ source('build', 'withheld') }}

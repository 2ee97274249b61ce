select
    -- words
    from_currency,
    to_currency,
    source,

    -- numerics
    cast(rate as decimal(18, 8)) as rate,

    -- dates
    day
from {{ source('lake', 'exchange_rates') }}

{{ config(meta={'refresh': {'key': ['from_currency', 'to_currency']}}) }}
select
    from_currency,
    to_currency,
    day as valid_from,
    lead(day) over (partition by from_currency, to_currency order by day) as valid_until,
    rate,
    source
from {{ ref('int_rates__dated') }}

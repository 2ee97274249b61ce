{{ config(meta={'refresh': {'key': ['from_currency', 'to_currency']}}) }}
select from_currency, to_currency, day, rate, source
from {{ ref('stg_shop__exchange_rates') }}

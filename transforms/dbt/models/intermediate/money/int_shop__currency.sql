{{ config(meta={'refresh': {'key': []}}) }}
-- The currency that figures over the whole shop are in: that of its first order. No later order changes it.
select arg_min(currency, (created_at, order_id)) as currency
from {{ ref('stg_shop__orders') }}

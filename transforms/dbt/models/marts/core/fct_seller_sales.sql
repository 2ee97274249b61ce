{{ config(meta={'refresh': {'key': ['seller_id']}}) }}
select
    seller_id,
    currency,
    cast(sum(orders) as bigint) as orders,
    cast(sum(units) as bigint) as units,
    cast(sum(revenue) as decimal(18, 2)) as revenue
from {{ ref('int_sales__seller_days') }}
group by seller_id, currency

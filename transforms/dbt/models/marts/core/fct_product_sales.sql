{{ config(meta={'refresh': {'key': ['product_id']}}) }}
select
    product_id,
    currency,
    cast(sum(orders) as bigint) as orders,
    cast(sum(units) as bigint) as units,
    cast(sum(revenue) as decimal(18, 2)) as revenue
from {{ ref('int_sales__product_days') }}
group by product_id, currency

{{ config(meta={'refresh': {'key': ['product_id']}}) }}
select
    product_id,
    currency,
    cast(count(distinct order_id) as bigint) as orders,
    cast(sum(quantity) as bigint) as units,
    cast(sum(subtotal) as decimal(18, 2)) as revenue
from {{ ref('int_order_items__joined') }}
where not is_cancelled
group by product_id, currency

{{ config(meta={'refresh': {'key': ['seller_id', 'order_date']}}) }}
select
    seller_id,
    order_date,
    currency,
    count(distinct order_id) as orders,
    cast(sum(quantity) as bigint) as units,
    cast(sum(goods_amount) as decimal(18, 2)) as revenue
from {{ ref('int_order_items__joined') }}
where not is_cancelled
group by seller_id, order_date, currency

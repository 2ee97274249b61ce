{{ config(meta={'refresh': {'key': ['product_id', 'order_date']}}) }}
-- Whatever the history's length, one more order changes one day; sums over days are sums of few rows. An order has one
-- currency and one day, and a day of its own for what an edit added later: so orders add up as purchases.
select
    product_id,
    order_date,
    currency,
    count(distinct order_id) as orders,
    cast(sum(quantity) as bigint) as units,
    cast(sum(goods_amount) as decimal(18, 2)) as revenue,
    min(ordered_at) as first_ordered_at,
    max(ordered_at) as last_ordered_at
from {{ ref('int_order_items__joined') }}
where not is_cancelled
group by product_id, order_date, currency

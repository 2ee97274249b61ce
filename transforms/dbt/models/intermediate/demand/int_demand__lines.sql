{{ config(meta={'refresh': {'key': ['order_id']}}) }}
-- Order lines as features count them. A line counts unless its order was cancelled on the very day on which the line was sold: what
-- happens on later days is not known when that day's snapshot is taken, so it must not change it. Price and amount are in
-- the shop's currency, at the rate of the order's day; null without a rate.
with placed as (

    select
        shop.order_id,
        shop.user_id,
        shop.currency,
        shop.created_at,
        cancelled.cancelled_at
    from {{ ref('stg_shop__orders') }} as shop
    left join {{ ref('int_orders__cancelled') }} as cancelled using (order_id)

)

select
    line.order_item_id,
    placed.order_id,
    placed.user_id,
    line.product_id,
    line.quantity,
    {{ converted('line.price_at_purchase', 'placed.currency', 'shop.currency', 'rate.rate') }} as price,
    {{ converted('line.subtotal', 'placed.currency', 'shop.currency', 'rate.rate') }} as amount,
    {{ sold_at('line', 'placed') }} as ordered_at,
    {{ utc_day(sold_at('line', 'placed')) }} as order_date
from placed
inner join {{ ref('stg_shop__order_items') }} as line using (order_id)
cross join {{ ref('int_shop__currency') }} as shop
{{ join_rate('placed.currency', 'shop.currency', utc_day(sold_at('line', 'placed'))) }}
where (placed.cancelled_at is null or {{ utc_day('placed.cancelled_at') }} > {{ utc_day(sold_at('line', 'placed')) }})
    and {{ published_order('placed.order_id') }}

-- Order lines as features count them. A line counts unless its order was cancelled on the very day it was placed: what
-- happens on later days is not known when that day's snapshot is taken, so it must not change it.
with cancelled as (

    select order_id, min(created_at) as cancelled_at
    from {{ ref('stg_shop__order_events') }}
    where to_status = 'cancelled'
    group by order_id

),

placed as (

    select
        shop.order_id,
        shop.user_id,
        shop.created_at as ordered_at,
        {{ utc_day('shop.created_at') }} as order_date,
        case when shop.status = 'cancelled' then coalesce(cancelled.cancelled_at, shop.updated_at) end as cancelled_at
    from {{ ref('stg_shop__orders') }} as shop
    left join cancelled using (order_id)

)

select
    line.order_item_id,
    placed.order_id,
    placed.user_id,
    line.product_id,
    line.quantity,
    line.price_at_purchase,
    line.subtotal,
    placed.ordered_at,
    placed.order_date
from placed
inner join {{ ref('stg_shop__order_items') }} as line using (order_id)
where placed.ordered_at <= (select as_of from {{ ref('int_build__watermark') }})
    and (placed.cancelled_at is null or {{ utc_day('placed.cancelled_at') }} > placed.order_date)

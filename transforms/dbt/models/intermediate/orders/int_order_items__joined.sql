{{ config(meta={'refresh': {'key': ['order_id'], 'links': [{'parent': 'int_returns__booked', 'via': 'stg_shop__order_items', 'on': 'order_item_id'}]}}) }}
with returned as (

    select
        order_item_id,
        sum(quantity) as returned_quantity,
        sum(goods_amount) as returned_amount
    from {{ ref('int_returns__booked') }}
    group by order_item_id

)

select
    line.order_item_id,
    line.order_id,
    placed.user_id,
    line.product_id,
    line.variant_id,
    line.seller_id,
    line.kit_variant_id,
    line.kit_product_id,
    line.kit_quantity,
    placed.currency,
    line.quantity,
    line.price_at_purchase,
    line.subtotal,
    line.goods_amount,
    placed.status as order_status,
    placed.status = 'cancelled' as is_cancelled,
    case when placed.status = 'cancelled' then {{ utc_day('cancelled.cancelled_at') }} end as cancelled_on,
    cast(coalesce(returned.returned_quantity, 0) as bigint) as returned_quantity,
    cast(coalesce(returned.returned_amount, 0) as decimal(18, 2)) as returned_amount,
    {{ utc_day(sold_at('line', 'placed')) }} as order_date,
    {{ sold_at('line', 'placed') }} as ordered_at
from {{ ref('stg_shop__order_items') }} as line
inner join {{ ref('stg_shop__orders') }} as placed using (order_id)
left join {{ ref('int_orders__cancelled') }} as cancelled using (order_id)
left join returned using (order_item_id)
where {{ published_order('line.order_id') }}

{{ config(meta={'refresh': {'key': ['order_id']}}) }}
with lines as (

    select order_id, sum(quantity) as units, count(*) as item_count
    from {{ ref('stg_shop__order_items') }}
    group by order_id

)

select
    placed.order_id,
    placed.order_number,
    placed.user_id,
    placed.status,
    placed.status = 'cancelled' as is_cancelled,
    placed.country,
    placed.currency,
    placed.subtotal,
    placed.tax,
    placed.tax_included,
    placed.shipping_fee,
    placed.discount,
    placed.total,
    cast(coalesce(lines.units, 0) as bigint) as units,
    coalesce(lines.item_count, 0) as item_count,
    placed.origin,
    {{ utc_day('placed.created_at') }} as order_date,
    placed.created_at,
    placed.updated_at
from {{ ref('stg_shop__orders') }} as placed
left join lines using (order_id)
where {{ published_order('placed.order_id') }}

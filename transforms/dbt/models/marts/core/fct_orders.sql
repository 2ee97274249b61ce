{{ config(meta={'refresh': {'key': ['order_id']}}) }}
select
    order_id,
    order_number,
    user_id,
    status,
    is_cancelled,
    country,
    currency,
    subtotal,
    tax,
    tax_included,
    shipping_fee,
    discount,
    total,
    cast(units as bigint) as units,
    cast(item_count as bigint) as item_count,
    origin,
    order_date,
    created_at,
    updated_at
from {{ ref('int_orders__totalled') }}

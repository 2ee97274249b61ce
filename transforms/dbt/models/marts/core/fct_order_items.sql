{{ config(meta={'refresh': {'key': ['order_id']}}) }}
select
    order_item_id,
    order_id,
    user_id,
    product_id,
    variant_id,
    seller_id,
    currency,
    quantity,
    price_at_purchase,
    subtotal,
    goods_amount,
    order_status,
    is_cancelled,
    cast(returned_quantity as bigint) as returned_quantity,
    cast(returned_amount as decimal(18, 2)) as returned_amount,
    order_date,
    ordered_at
from {{ ref('int_order_items__joined') }}

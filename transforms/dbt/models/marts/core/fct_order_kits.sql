{{ config(meta={'refresh': {'key': ['order_id']}}) }}
-- The money is that of the lines of the components, which fct_order_items and all sums have too: it is the same once more, by kit.
select
    order_id,
    kit_variant_id as variant_id,
    kit_product_id as product_id,
    seller_id,
    currency,
    kit_quantity as quantity,
    cast(sum(goods_amount) as decimal(18, 2)) as goods_amount,
    cast(sum(returned_amount) as decimal(18, 2)) as returned_amount,
    is_cancelled,
    min(order_date) as order_date
from {{ ref('int_order_items__joined') }}
where kit_variant_id is not null
group by
    order_id,
    kit_variant_id,
    kit_product_id,
    seller_id,
    currency,
    kit_quantity,
    is_cancelled

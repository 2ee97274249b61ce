{{ config(meta={'refresh': {'key': ['variant_id', 'order_date']}}) }}
select
    variant_id,
    seller_id,
    order_date,
    cast(sum(quantity) as bigint) as units
from {{ ref('int_order_items__joined') }}
where not is_cancelled
group by variant_id, seller_id, order_date

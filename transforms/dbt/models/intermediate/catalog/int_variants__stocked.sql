{{ config(meta={'refresh': {'key': ['variant_id'], 'links': [{'parent': 'int_withheld__products', 'via': 'stg_shop__product_variants', 'on': 'product_id'}]}}) }}
with stock as (

    select variant_id, sum(reserved) as reserved, sum(inbound) as inbound
    from {{ ref('stg_shop__warehouse_stock') }}
    group by variant_id

)

select
    variant.variant_id,
    variant.product_id,
    variant.sku,
    variant.attributes,
    variant.price,
    variant.stock_quantity,
    cast(coalesce(stock.reserved, 0) as bigint) as reserved,
    cast(coalesce(stock.inbound, 0) as bigint) as inbound
from {{ ref('stg_shop__product_variants') }} as variant
left join stock using (variant_id)
where not variant.is_removed and {{ published_product('variant.product_id') }}

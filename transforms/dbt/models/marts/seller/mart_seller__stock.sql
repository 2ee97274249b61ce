{{ config(meta={'refresh': {'key': ['variant_id'], 'links': [
    {'parent': 'int_products__joined', 'via': 'int_variants__stocked', 'on': 'product_id'},
    {'parent': 'int_sales__seller_ends', 'via': 'int_sales__variant_days', 'on': 'seller_id'},
]}}) }}
-- Days of cover = sellable units / mean daily units that the seller sold in their newest 30 days with data; null when
-- nothing sold in them.
with sales as (

    select days.variant_id, days.seller_id, sum(days.units) as units_30d
    from {{ ref('int_sales__variant_days') }} as days
    inner join {{ ref('int_sales__seller_ends') }} as newest using (seller_id)
    where days.order_date > newest.last_day - 30
    group by days.variant_id, days.seller_id

)

select
    product.seller_id,
    variant.variant_id,
    variant.product_id,
    product.title,
    variant.sku,
    variant.attributes,
    variant.price,
    product.currency,
    cast(variant.stock_quantity as bigint) as stock_quantity,
    cast(variant.reserved as bigint) as reserved,
    cast(variant.inbound as bigint) as inbound,
    cast(coalesce(sales.units_30d, 0) as bigint) as units_30d,
    case when sales.units_30d > 0 then round(variant.stock_quantity * 30.0 / sales.units_30d, 1) end::decimal(18, 1) as days_of_cover,
    variant.stock_quantity = 0 as is_out_of_stock
from {{ ref('int_variants__stocked') }} as variant
inner join {{ ref('int_products__joined') }} as product using (product_id)
left join sales on sales.variant_id = variant.variant_id and sales.seller_id = product.seller_id

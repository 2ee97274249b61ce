{{ config(meta={'refresh': {'key': ['seller_id'], 'links': [{'parent': 'int_variants__stocked', 'via': 'int_products__joined', 'on': 'product_id'}]}}) }}
-- Days of cover = sellable units / mean daily units of the seller's newest 30 days with data; null when nothing sold in
-- them.
with window_end as (

    select seller_id, max(order_date) as window_end
    from {{ ref('int_order_items__joined') }}
    where not is_cancelled
    group by seller_id

),

sales as (

    select line.variant_id, sum(line.quantity) as units_30d
    from {{ ref('int_order_items__joined') }} as line
    inner join window_end using (seller_id)
    where not line.is_cancelled and line.order_date > window_end.window_end - 30
    group by line.variant_id

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
left join sales using (variant_id)

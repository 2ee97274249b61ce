{{ config(meta={'refresh': {'key': ['product_id']}}) }}
-- Sales figures leave cancelled orders out; returns are not taken off (they are in fct_order_items and
-- mart_seller__sales_day).
with sales as (

    select
        product_id,
        sum(quantity) as units_sold,
        count(distinct order_id) as orders,
        sum(subtotal) as revenue,
        min(ordered_at) as first_ordered_at,
        max(ordered_at) as last_ordered_at
    from {{ ref('int_order_items__joined') }}
    where not is_cancelled
    group by product_id

)

select
    product.product_id,
    product.seller_id,
    product.category_id,
    product.category_path,
    product.title,
    product.brand,
    product.base_price,
    product.currency,
    product.status,
    cast(product.stock_quantity as bigint) as stock_quantity,
    cast(coalesce(sales.units_sold, 0) as bigint) as units_sold,
    cast(coalesce(sales.orders, 0) as bigint) as orders,
    cast(coalesce(sales.revenue, 0) as decimal(18, 2)) as revenue,
    sales.first_ordered_at,
    sales.last_ordered_at,
    product.created_at
from {{ ref('int_products__joined') }} as product
left join sales using (product_id)

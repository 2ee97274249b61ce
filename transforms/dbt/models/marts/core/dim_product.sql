{{ config(meta={'refresh': {'key': ['product_id']}}) }}
-- Sales figures leave cancelled orders out; returns are not taken off (they are in fct_order_items and
-- mart_seller__sales_day). Amounts of several currencies become one number only by rates: a day's sum in another
-- currency is converted at the rate of that day.
with rated as (

    select
        days.*,
        {{ converted('days.revenue', 'days.currency', 'product.currency', 'rate.rate') }} as converted
    from {{ ref('int_sales__product_days') }} as days
    inner join {{ ref('int_products__joined') }} as product using (product_id)
    {{ join_rate('days.currency', 'product.currency', 'days.order_date') }}

),

sales as (

    select
        product_id,
        sum(units) as units_sold,
        sum(orders) as orders,
        coalesce(sum(orders) filter (where converted is null), 0) as orders_without_rate,
        sum(converted) as revenue,
        min(first_ordered_at) as first_ordered_at,
        max(last_ordered_at) as last_ordered_at
    from rated
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
    cast(coalesce(sales.orders_without_rate, 0) as bigint) as orders_without_rate,
    case when coalesce(sales.orders_without_rate, 0) = 0 then cast(coalesce(sales.revenue, 0) as decimal(18, 2)) end as revenue,
    sales.first_ordered_at,
    sales.last_ordered_at,
    product.created_at
from {{ ref('int_products__joined') }} as product
left join sales using (product_id)

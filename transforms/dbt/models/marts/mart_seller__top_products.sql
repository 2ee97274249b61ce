-- The 30 days end on the newest day on which the seller sold anything, so that a page on an old set is not empty.
with window_end as (

    select seller_id, max(order_date) as window_end
    from {{ ref('int_order_items__joined') }}
    where not is_cancelled
    group by seller_id

),

sales as (

    select
        line.seller_id,
        line.product_id,
        line.currency,
        any_value(window_end.window_end) as window_end,
        sum(line.quantity) filter (where line.order_date > window_end.window_end - 30) as units_30d,
        sum(line.subtotal) filter (where line.order_date > window_end.window_end - 30) as revenue_30d,
        count(distinct line.order_id) as orders_total,
        sum(line.quantity) as units_total,
        sum(line.subtotal) as revenue_total,
        max(line.ordered_at) as last_ordered_at
    from {{ ref('int_order_items__joined') }} as line
    inner join window_end using (seller_id)
    where not line.is_cancelled
    group by line.seller_id, line.product_id, line.currency

)

select
    sales.seller_id,
    sales.product_id,
    product.title,
    sales.currency,
    sales.window_end,
    cast(coalesce(sales.units_30d, 0) as bigint) as units_30d,
    cast(coalesce(sales.revenue_30d, 0) as decimal(18, 2)) as revenue_30d,
    cast(sales.orders_total as bigint) as orders_total,
    cast(sales.units_total as bigint) as units_total,
    cast(sales.revenue_total as decimal(18, 2)) as revenue_total,
    cast(
        row_number() over (
            partition by sales.seller_id, sales.currency
            order by coalesce(sales.revenue_30d, 0) desc, sales.revenue_total desc, sales.product_id
        ) as bigint
    ) as rank_30d,
    sales.last_ordered_at
from sales
inner join {{ ref('int_products__catalogued') }} as product using (product_id)

-- Sellers' days and order lines have the same totals, to the cent, per seller and currency.
with days as (

    select
        seller_id,
        currency,
        sum(gross_sales) as gross_sales,
        sum(units) as units,
        sum(cancelled_sales) as cancelled_sales,
        sum(returned_amount) as returned_amount
    from {{ ref('mart_seller__sales_day') }}
    group by all

),

lines as (

    select
        seller_id,
        currency,
        sum(goods_amount) as gross_sales,
        coalesce(sum(quantity) filter (where not is_cancelled), 0) as units,
        -coalesce(sum(goods_amount) filter (where is_cancelled), 0) as cancelled_sales,
        -sum(returned_amount) as returned_amount
    from {{ ref('fct_order_items') }}
    group by all

)

select *
from days
full outer join lines using (seller_id, currency)
where coalesce(days.gross_sales, 0) <> coalesce(lines.gross_sales, 0)
    or coalesce(days.units, 0) <> coalesce(lines.units, 0)
    or coalesce(days.cancelled_sales, 0) <> coalesce(lines.cancelled_sales, 0)
    or coalesce(days.returned_amount, 0) <> coalesce(lines.returned_amount, 0)

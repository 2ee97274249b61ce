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
        sum(subtotal) as gross_sales,
        sum(quantity) as units,
        -coalesce(sum(subtotal) filter (where is_cancelled), 0) as cancelled_sales,
        -sum(returned_amount) as returned_amount
    from {{ ref('fct_order_items') }}
    group by all

)

select *
from days
full outer join lines using (seller_id, currency)
where days.gross_sales is distinct from lines.gross_sales
    or days.units is distinct from lines.units
    or days.cancelled_sales is distinct from lines.cancelled_sales
    or days.returned_amount is distinct from lines.returned_amount

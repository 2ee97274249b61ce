{{ config(meta={'refresh': {'key': ['seller_id', 'order_date'], 'links': [{'parent': 'int_returns__booked', 'columns': {'order_date': 'booked_on'}}]}}) }}
-- Booking rules are in the model's description. A day without orders has a row too when it has refunds or restatements.
with placed as (

    select
        seller_id,
        order_date,
        currency,
        count(distinct order_id) filter (where not is_cancelled) as orders,
        sum(quantity) filter (where not is_cancelled) as units,
        sum(goods_amount) as gross_sales,
        count(distinct order_id) filter (where is_cancelled) as cancelled_orders,
        coalesce(sum(goods_amount) filter (where is_cancelled), 0) as cancelled_sales
    from {{ ref('int_order_items__joined') }}
    group by seller_id, order_date, currency

),

returned as (

    select
        seller_id,
        booked_on as order_date,
        currency,
        sum(quantity) as returned_units,
        sum(goods_amount) as returned_amount
    from {{ ref('int_returns__booked') }}
    group by seller_id, booked_on, currency

),

restated as (

    select seller_id, order_date, currency, sum(amount) as restated_sales
    from {{ ref('mart_seller__restatement') }}
    group by seller_id, order_date, currency

)

select
    seller_id,
    order_date,
    currency,
    cast(coalesce(placed.orders, 0) as bigint) as orders,
    cast(coalesce(placed.units, 0) as bigint) as units,
    cast(coalesce(placed.gross_sales, 0) as decimal(18, 2)) as gross_sales,
    cast(coalesce(placed.cancelled_orders, 0) as bigint) as cancelled_orders,
    cast(-coalesce(placed.cancelled_sales, 0) as decimal(18, 2)) as cancelled_sales,
    cast(coalesce(restated.restated_sales, 0) as decimal(18, 2)) as restated_sales,
    cast(-coalesce(returned.returned_units, 0) as bigint) as returned_units,
    cast(-coalesce(returned.returned_amount, 0) as decimal(18, 2)) as returned_amount,
    cast(
        coalesce(placed.gross_sales, 0) - coalesce(placed.cancelled_sales, 0) - coalesce(returned.returned_amount, 0) as decimal(18, 2)
    ) as net_sales
from placed
full outer join returned using (seller_id, order_date, currency)
full outer join restated using (seller_id, order_date, currency)

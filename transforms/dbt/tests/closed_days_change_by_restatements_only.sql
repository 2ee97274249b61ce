-- What closed days lost by later cancellations is what their restatements say, per seller, day and currency.
with days as (

    select seller_id, order_date, currency, restated_sales
    from {{ ref('mart_seller__sales_day') }}
    where restated_sales <> 0

),

restated as (

    select seller_id, order_date, currency, sum(amount) as restated_sales
    from {{ ref('mart_seller__restatement') }}
    group by all

)

select *
from days
full outer join restated using (seller_id, order_date, currency)
where days.restated_sales is distinct from restated.restated_sales

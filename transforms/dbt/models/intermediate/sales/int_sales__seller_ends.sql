{{ config(meta={'refresh': {'key': ['seller_id']}}) }}
-- It changes once a day: with a seller's first order of it.
select seller_id, max(order_date) as last_day
from {{ ref('int_sales__seller_days') }}
group by seller_id

{{ config(meta={'refresh': {'key': ['seller_id', 'order_date']}}) }}
-- What later cancellations took off days that had closed, and what else changed them: builds and refreshes note that when
-- they publish it.
select
    seller_id,
    order_date,
    currency,
    cancelled_on as restated_on,
    cast(count(distinct order_id) as bigint) as orders,
    cast(-sum(goods_amount) as decimal(18, 2)) as amount,
    'cancelled' as cause
from {{ ref('int_order_items__joined') }}
where is_cancelled and cancelled_on > order_date
group by seller_id, order_date, currency, cancelled_on
union all
select seller_id, order_date, currency, corrected_on as restated_on, cast(0 as bigint) as orders, amount, cause
from {{ ref('int_build__corrections') }}

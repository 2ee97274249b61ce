{{ config(meta={'refresh': {'key': ['return_id'], 'links': [{'parent': 'int_withheld__orders', 'via': 'stg_shop__return_events', 'on': 'order_id'}]}}) }}
-- A refund is booked by the event that says it was paid out, on the day of that event, whenever the goods were ordered
-- and whatever is changed on the return afterwards. Imported and native returns follow the same rule. What it takes off the
-- sales is its goods: tax and shipping were never part of them.
select
    return_id,
    order_item_id,
    seller_id,
    currency,
    quantity,
    refund_amount,
    goods_amount,
    {{ utc_day('created_at') }} as booked_on
from {{ ref('stg_shop__return_events') }}
where to_status = 'refunded' and {{ published_order('order_id') }}

{{ config(meta={'refresh': {'key': ['return_id'], 'links': [
    {'parent': 'int_withheld__orders', 'via': 'stg_shop__return_events', 'on': 'order_id'},
    {'parent': 'stg_shop__orders', 'via': 'stg_shop__return_events', 'on': 'order_id'},
]}}) }}
-- A refund is booked by the event that says it was paid out, on the day of that event, whenever the goods were ordered
-- and whatever is changed on the return afterwards. Imported and native returns follow the same rule. What it takes off the
-- sales is its goods: tax and shipping were never part of them.
-- Units that were cancelled before they were sent are booked so too, unless the whole order was cancelled later: then
-- all of its sales are taken off as cancelled.
select
    paid.return_id,
    paid.order_item_id,
    paid.seller_id,
    paid.currency,
    paid.quantity,
    paid.refund_amount,
    paid.goods_amount,
    {{ utc_day('paid.created_at') }} as booked_on
from {{ ref('stg_shop__return_events') }} as paid
inner join {{ ref('stg_shop__orders') }} as placed using (order_id)
where paid.to_status = 'refunded' and placed.status <> 'cancelled' and {{ published_order('paid.order_id') }}

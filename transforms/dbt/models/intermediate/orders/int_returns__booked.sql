{{ config(meta={'refresh': {'key': ['return_id'], 'links': [{'parent': 'stg_shop__orders', 'via': 'stg_shop__returns', 'on': 'order_id'}]}}) }}
-- A refund is booked on the day it was paid out, whenever the goods were ordered. Imported and native returns follow
-- the same rule.
select
    returned.return_id,
    returned.order_item_id,
    returned.seller_id,
    placed.currency,
    returned.quantity,
    returned.refund_amount,
    returned.status = 'refunded' as is_booked,
    case when returned.status = 'refunded' then {{ utc_day('returned.updated_at') }} end as booked_on
from {{ ref('stg_shop__returns') }} as returned
inner join {{ ref('stg_shop__orders') }} as placed using (order_id)

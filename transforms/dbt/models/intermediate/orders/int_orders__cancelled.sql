{{ config(meta={'refresh': {'key': ['order_id']}}) }}
-- When an order was cancelled: the time of the event, which never changes.
select order_id, min(created_at) as cancelled_at
from {{ ref('stg_shop__order_events') }}
where to_status = 'cancelled'
group by order_id

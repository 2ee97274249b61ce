-- A cancelled order has the event that dates its cancellation.
select distinct order_id
from {{ ref('int_order_items__joined') }}
where is_cancelled and cancelled_on is null

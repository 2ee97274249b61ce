-- The lines of an order add up to its subtotal.
select placed.order_id, placed.subtotal, sum(line.subtotal) as lines
from {{ ref('fct_orders') }} as placed
left join {{ ref('fct_order_items') }} as line using (order_id)
group by placed.order_id, placed.subtotal
having placed.subtotal <> coalesce(sum(line.subtotal), 0)

-- A refunded return has the event that books it, and the event has the return's units and amount.
select returned.return_id, returned.order_id
from {{ ref('stg_shop__returns') }} as returned
inner join {{ ref('stg_shop__orders') }} as placed using (order_id)
left join {{ ref('int_returns__booked') }} as booked using (return_id)
where returned.status = 'refunded'
    and placed.status <> 'cancelled'
    and {{ published_order('returned.order_id') }}
    and (
        booked.return_id is null
        or booked.quantity <> returned.quantity
        or booked.refund_amount <> returned.refund_amount
        or booked.goods_amount > returned.refund_amount
    )

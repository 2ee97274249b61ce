select
    returned.return_id,
    returned.seller_id,
    returned.order_id,
    returned.order_number,
    returned.order_item_id,
    returned.product_id,
    product.title,
    returned.quantity,
    returned.refund_amount,
    returned.currency,
    returned.reason,
    returned.status,
    returned.booked_on,
    returned.requested_at
from {{ ref('int_returns__booked') }} as returned
inner join {{ ref('int_products__catalogued') }} as product using (product_id)

select
    event.product_id,
    product.seller_id,
    event.event_date as traffic_date,
    {{ traffic_counts('event') }}
from {{ ref('int_behaviour__people') }} as event
inner join {{ ref('int_products__joined') }} as product on product.product_id = event.product_id
group by all

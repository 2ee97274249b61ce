-- Sessions are counted again, not added: a session may view several products of one seller.
select
    product.seller_id,
    event.event_date as traffic_date,
    {{ traffic_counts('event') }},
    count(distinct event.session_id) filter (event.event_type = 'purchase' and event.origin = 'server')
        as ordering_sessions
from {{ ref('int_behaviour__people') }} as event
inner join {{ ref('int_products__joined') }} as product on product.product_id = event.product_id
group by all

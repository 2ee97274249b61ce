-- Sessions are counted again, not added: a session may view several products of one seller.
select
    product.seller_id,
    event.event_date as traffic_date,
    count(*) filter (event.event_type = 'impression') as impressions,
    count(*) filter (event.event_type = 'click') as clicks,
    count(*) filter (event.event_type = 'view') as views,
    count(distinct event.session_id) filter (event.event_type = 'view') as viewing_sessions,
    count(*) filter (event.event_type = 'add_to_cart') as cart_additions,
    count(distinct event.order_id) filter (event.event_type = 'purchase' and event.origin = 'server') as orders,
    coalesce(sum(event.quantity) filter (event.event_type = 'purchase' and event.origin = 'server'), 0)::bigint as units,
    count(distinct event.session_id) filter (event.event_type = 'purchase' and event.origin = 'server')
        as ordering_sessions
from {{ ref('int_behaviour__people') }} as event
inner join {{ ref('int_products__joined') }} as product on product.product_id = event.product_id
group by all

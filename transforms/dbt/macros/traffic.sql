{# What happened to products, by their events. Purchases are those that the server took. #}
{% macro traffic_counts(event) -%}
    count(*) filter ({{ event }}.event_type = 'impression') as impressions,
    count(*) filter ({{ event }}.event_type = 'click') as clicks,
    count(*) filter ({{ event }}.event_type = 'view') as views,
    count(distinct {{ event }}.session_id) filter ({{ event }}.event_type = 'view') as viewing_sessions,
    count(*) filter ({{ event }}.event_type = 'add_to_cart') as cart_additions,
    count(distinct {{ event }}.order_id) filter ({{ event }}.event_type = 'purchase' and {{ event }}.origin = 'server') as orders,
    coalesce(sum({{ event }}.quantity) filter ({{ event }}.event_type = 'purchase' and {{ event }}.origin = 'server'), 0)::bigint as units
{%- endmacro %}

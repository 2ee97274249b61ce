{{ config(meta={'refresh': {'key': ['user_id'], 'since': 'event_timestamp', 'row_by_row': ['int_features__user_windows']}}) }}
select
    state.user_id,
    state.event_timestamp,
    state.event_timestamp as created_timestamp,
    cast(state.orders_365d as bigint) as user__orders_365d,
    cast(state.products_365d as bigint) as user__distinct_products_365d,
    cast(state.orders_total as bigint) as user__orders_total,
    case
        when state.priced_units_365d > 0 then cast(state.spend_365d as double) / cast(state.priced_units_365d as double)
        else 0.0
    end as user__mean_price_365d,
    case
        when state.priced_orders_365d > 0 then cast(state.spend_365d as double) / cast(state.priced_orders_365d as double)
        else 0.0
    end as user__mean_order_value_365d,
    cast(coalesce(state.last_order_day, 0) as bigint) as user__last_order_day
from {{ ref('int_features__user_windows') }} as state

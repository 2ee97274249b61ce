{{ config(meta={'refresh': {'key': ['product_id'], 'since': 'event_timestamp', 'row_by_row': ['int_features__product_windows']}}) }}
select
    state.product_id,
    state.event_timestamp,
    state.event_timestamp as created_timestamp,
    cast(state.orders_7d as bigint) as product__orders_7d,
    cast(state.orders_30d as bigint) as product__orders_30d,
    cast(state.units_30d as bigint) as product__units_30d,
    cast(state.buyers_90d as bigint) as product__buyers_90d,
    cast(state.orders_total as bigint) as product__orders_total,
    cast(state.units_total as bigint) as product__units_total,
    cast(coalesce(state.last_price, 0) as double) as product__price,
    case
        when state.priced_units_180d > 0 and state.revenue_180d > 0
            then
                cast(state.last_price as double)
                / (cast(state.revenue_180d as double) / cast(state.priced_units_180d as double))
        else 1.0
    end as product__price_ratio_180d,
    case
        when state.units_180d > 0 then least(cast(state.returned_180d as double) / cast(state.units_180d as double), 1.0)
        else 0.0
    end as product__return_rate_180d,
    state.stock > 0 as product__in_stock,
    cast(coalesce(state.first_order_day, 0) as bigint) as product__first_order_day,
    cast(coalesce(state.last_order_day, 0) as bigint) as product__last_order_day,
    product.category_id as product__category_id
from {{ ref('int_features__product_windows') }} as state
inner join {{ ref('int_products__joined') }} as product using (product_id)

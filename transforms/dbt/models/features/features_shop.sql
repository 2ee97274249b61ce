{{ config(meta={'refresh': {'key': []}}) }}
-- The shop's own clock: how many trading days had begun to count at an instant. One row when a trading day closes.
select
    'souk' as shop_id,
    closes_at as event_timestamp,
    closes_at as created_timestamp,
    cast(day_no as bigint) as shop__trading_day
from {{ ref('int_trading__days') }}

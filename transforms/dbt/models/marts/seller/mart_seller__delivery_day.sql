{{ config(meta={'refresh': {'key': ['seller_id', 'promised_on']}}) }}
-- Promised against delivered: a parcel belongs to the day that the buyer was promised, however late it comes.
select
    seller_id,
    promised_on,
    count(*) as parcels,
    count(shipped_at) as shipped,
    count(delivered_at) as delivered,
    count(*) filter (is_on_time) as on_time,
    cast(coalesce(sum(days_late) filter (delivered_at is not null), 0) as bigint) as days_late,
    cast(case when count(delivered_at) > 0 then count(*) filter (is_on_time) / count(delivered_at) end as double) as on_time_rate
from {{ ref('int_parcels__promised') }}
group by seller_id, promised_on

{{ config(meta={'refresh': {'key': ['parcel_id'], 'links': [
    {'parent': 'int_withheld__orders', 'via': 'stg_shop__parcels', 'on': 'order_id'},
]}}) }}
-- Parcels that were promised for a day and not cancelled, with what has happened since.
select
    parcel_id,
    seller_id,
    promised_on,
    shipped_at,
    delivered_at,
    {{ utc_day('delivered_at') }} <= promised_on as is_on_time,
    greatest({{ utc_day('delivered_at') }} - promised_on, 0) as days_late
from {{ ref('stg_shop__parcels') }}
where promised_on is not null and status <> 'cancelled' and {{ published_order('order_id') }}

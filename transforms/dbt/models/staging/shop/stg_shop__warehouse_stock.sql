select
    -- ids
    variant_id,
    warehouse_id,

    -- numerics
    available,
    reserved,
    inbound
from {{ source('lake', 'warehouse_stock') }}

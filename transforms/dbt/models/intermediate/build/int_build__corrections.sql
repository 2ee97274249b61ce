-- A view: nearly always without rows.
{{ config(materialized='view') }}
select seller_id, order_date, currency, corrected_on, cause, amount
from {{ ref('stg_build__corrections') }}

-- A view: the pairs are read once, and there are up to 100 of them per product.
{{ config(materialized='view') }}
select product_id, with_product_id, orders_together, confidence, lift, watermark_lsn, watermark_lsn_text
from {{ ref('stg_derived__co_purchase') }}

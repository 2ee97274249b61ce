-- A view: nearly always without rows.
{{ config(materialized='view') }}
select kind, key
from {{ ref('stg_build__withheld') }}

{{ config(meta={'refresh': {'key': ['seller_id']}}) }}
select seller_id, name, country, rating, created_at
from {{ ref('stg_shop__sellers') }}

{{ config(meta={'refresh': {'key': ['key']}}) }}
select kind, key, name, seller_id, rule, since
from {{ ref('int_withheld__named') }}

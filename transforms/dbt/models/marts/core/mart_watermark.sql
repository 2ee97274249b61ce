{{ config(meta={'refresh': {'key': []}}) }}
select lsn, lsn_text, as_of, built_at
from {{ ref('int_build__watermark') }}

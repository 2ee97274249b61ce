-- No line is lost or doubled on the way from the lake to the mart, those of withheld orders apart.
select mart.lines as mart_lines, shop.lines as shop_lines
from (select count(*) as lines from {{ ref('fct_order_items') }}) as mart
cross join (
    select count(*) as lines from {{ ref('stg_shop__order_items') }} where {{ published_order('order_id') }}
) as shop
where mart.lines <> shop.lines

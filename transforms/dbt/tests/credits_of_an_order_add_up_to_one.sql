-- Each kind of credit is given out exactly once for an order.
select order_id
from {{ ref('fct_attribution_touches') }}
group by order_id
having sum(first_credit) <> 1 or sum(last_credit) <> 1 or abs(sum(linear_credit) - 1) > 1e-9

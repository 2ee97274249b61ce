{{ config(meta={'refresh': {'key': []}}) }}
-- Days on which the shop took at least one order that counts, numbered 1, 2, 3, ... Windows of features are measured in
-- them: while the whole shop is closed (or between a loaded history and today) no window moves. A day's number
-- depends on earlier days only.
select
    day,
    row_number() over (order by day) as day_no,
    {{ utc_midnight('day + 1') }} as closes_at
from (select distinct order_date as day from {{ ref('int_demand__lines') }})

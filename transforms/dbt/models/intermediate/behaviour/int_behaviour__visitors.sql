-- A session in which two people signed in belongs to neither.
select session_key, min(user_id) as user_id
from {{ ref('stg_behaviour__events') }}
where session_key is not null and user_id is not null
group by session_key
having count(distinct user_id) = 1

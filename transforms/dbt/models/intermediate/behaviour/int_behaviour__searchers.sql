-- A search of a guest who had no session yet belongs to who names it first.
with named as (

    select
        'server:' || search_id as event_key,
        first({user_id: user_id, session_key: session_key} order by occurred_at, event_key) as who
    from {{ ref('stg_behaviour__events') }}
    where search_id is not null and coalesce(user_id, session_key) is not null
    group by search_id

)

select search.event_key, named.who.user_id as user_id, named.who.session_key as session_key
from {{ ref('stg_behaviour__events') }} as search
inner join named on named.event_key = search.event_key
where search.event_type = 'search' and search.user_id is null and search.session_key is null

"""Marts of behaviour against plain Python on random events: sessions, searches, traffic, the funnel, attribution."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import duckdb
import pytest

from tests.harness.synthetic_events import Event
from tests.integration.conftest import BuiltMarts
from transforms.publish import connect

SILENCE = timedelta(minutes=30)


@dataclass
class Session:
    """A session as plain Python finds it."""

    visitor: str
    events: list[Event] = field(default_factory=list)
    campaign: str | None = None

    @property
    def key(self) -> str:
        return key(self.events[0])

    @property
    def began(self) -> datetime:
        return at(self.events[0])

    @property
    def seconds(self) -> int:
        return int(at(self.events[-1]).timestamp()) - int(self.began.timestamp())

    def count(self, kind: str) -> int:
        return sum(event["type"] == kind for event in self.events)

    @property
    def searches(self) -> list[Event]:
        """The shop's own; what the client says of them where the shop logged none."""
        said = [event for event in self.events if event["type"] == "search"]
        logged = [event for event in said if event.get("origin") == "server"]
        return logged or [event for event in said if "searchId" not in event]

    @property
    def orders(self) -> set[str]:
        return {event["orderId"] for event in self.events if is_order(event)}

    @property
    def is_bot(self) -> bool:
        views = self.count("view")
        return any("bot" in event for event in self.events) or (views >= 60 and views > self.seconds)


def at(event: Event) -> datetime:
    return datetime.fromisoformat(event["occurredAt"])


def is_order(event: Event) -> bool:
    return event["type"] == "purchase" and event.get("origin") == "server"


def term_of(search: Event) -> str:
    return " ".join(search["query"].split()).lower()


def key(event: Event) -> str:
    return f"{event.get('origin', 'client')}:{event['eventId']}"


def sessions_of(events: list[Event]) -> list[Session]:
    """The rules of int_behaviour__events, said a second time."""
    accounts: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if "sessionKey" in event and "userId" in event:
            accounts[event["sessionKey"]].add(event["userId"])
    visitors: dict[str, list[Event]] = defaultdict(list)
    namers: dict[str, Event] = {}
    for event in sorted(events, key=lambda one: (at(one), key(one))):
        if "searchId" in event and event.keys() & {"userId", "sessionKey"}:
            namers.setdefault(f"server:{event['searchId']}", event)
    for event in events:
        nameless = event["type"] == "search" and not event.keys() & {"userId", "sessionKey"}
        who = namers.get(key(event), event) if nameless else event
        session = who.get("sessionKey")
        owners = accounts.get(session or "", set())
        user = who.get("userId") or (next(iter(owners)) if len(owners) == 1 else None)
        alone = f"order:{event['orderId']}" if "orderId" in event else f"event:{key(event)}"
        visitor = f"user:{user}" if user else f"session:{session}" if session else alone
        visitors[visitor].append(event)
    found: list[Session] = []
    for visitor, theirs in visitors.items():
        current: Session | None = None
        for event in sorted(theirs, key=lambda one: (at(one), key(one))):
            campaign = event.get("campaign")
            before = current.events[-1] if current else None
            if (
                current is None
                or before is None
                or at(event) - at(before) > SILENCE
                or at(event).date() != at(before).date()
                or (campaign is not None and campaign != current.campaign)
            ):
                current = Session(visitor)
                found.append(current)
            current.events.append(event)
            current.campaign = current.campaign or campaign
    return found


@pytest.fixture(scope="module")
def marts(built_marts: BuiltMarts) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(built_marts.result.marts, read_only=True) as con:
        yield con


@pytest.fixture(scope="module")
def sessions(built_marts: BuiltMarts) -> list[Session]:
    return sessions_of(built_marts.events)


def test_sessions_are_what_plain_python_finds(sessions: list[Session], marts: duckdb.DuckDBPyConnection) -> None:
    columns = (
        "session_id, visitor_id, started_at, duration_seconds, campaign, events, views, cart_additions, searches,"
        " orders, is_bot"
    )
    found = marts.execute(f"SELECT {columns} FROM fct_sessions").fetchall()

    expected = {
        (
            s.key, s.visitor, s.began, s.seconds, s.campaign, len(s.events), s.count("view"), s.count("addToCart"),
            len(s.searches), len(s.orders), s.is_bot,
        )
        for s in sessions
    }  # fmt: skip
    assert set(found) == expected
    assert len(found) == len(expected) > 200


def test_the_random_events_hold_every_reason_that_ends_a_session(sessions: list[Session]) -> None:
    """The control of the comparison above."""
    assert any(s.is_bot for s in sessions)
    assert Counter(s.visitor.split(":")[0] for s in sessions).keys() == {"user", "session", "order", "event"}
    gaps = [
        (at(later.events[0]) - at(former.events[-1]), later, former)
        for former, later in pairwise(sessions)
        if former.visitor == later.visitor
    ]
    assert any(gap > SILENCE for gap, _, _ in gaps)
    assert any(gap <= SILENCE and later.began.date() != former.began.date() for gap, later, former in gaps)
    assert any(gap <= SILENCE and later.campaign not in {None, former.campaign} for gap, later, former in gaps)
    assert any(at(b) - at(a) == SILENCE for s in sessions for a, b in pairwise(s.events))


def test_traffic_of_products_and_sellers_is_what_people_did(
    built_marts: BuiltMarts, sessions: list[Session], marts: duckdb.DuckDBPyConnection
) -> None:
    seller_of = {str(row["product_id"]): str(row["seller_id"]) for row in built_marts.shop.rows["products"]}
    views: Counter[tuple[str, object]] = Counter()
    seen: dict[tuple[str, object], set[str]] = defaultdict(set)
    sold: dict[tuple[str, object], set[str]] = defaultdict(set)
    units: Counter[tuple[str, object]] = Counter()
    for session in sessions:
        for event in session.events if not session.is_bot else ():
            product, day = event.get("productId", ""), at(event).date()
            if product not in seller_of:
                continue
            for owner in (product, seller_of[product]):
                seen.setdefault((owner, day), set())
                if event["type"] == "view":
                    views[owner, day] += 1
                    seen[owner, day].add(session.key)
                if is_order(event):
                    sold[owner, day].add(event["orderId"])
                    units[owner, day] += int(event["quantity"])

    columns = "traffic_date, views, viewing_sessions, orders, units"
    found = marts.execute(f"SELECT product_id, {columns} FROM mart_product__traffic_day").fetchall()
    found += marts.execute(f"SELECT seller_id, {columns} FROM mart_seller__traffic_day").fetchall()

    assert set(found) == {(*one, views[one], len(seen[one]), len(sold[one]), units[one]) for one in seen}


def test_the_funnel_counts_how_far_each_session_came(sessions: list[Session], marts: duckdb.DuckDBPyConnection) -> None:
    days: dict[object, Counter[str]] = defaultdict(Counter)
    for session in sessions:
        counts = days[session.began.date()]
        if session.is_bot:
            counts["bots"] += 1
            continue
        ordered, carted = bool(session.orders), session.count("addToCart") > 0
        counts["all"] += 1
        counts["ordered"] += ordered
        counts["carted"] += ordered or carted
        counts["viewed"] += ordered or carted or session.count("view") > 0

    found = marts.execute(
        "SELECT funnel_date, sessions, viewing_sessions, carting_sessions, ordering_sessions, bot_sessions"
        " FROM mart_shop__funnel_day"
    ).fetchall()

    assert set(found) == {(day, n["all"], n["viewed"], n["carted"], n["ordered"], n["bots"]) for day, n in days.items()}


def test_every_order_of_the_shop_is_credited_once(
    built_marts: BuiltMarts, sessions: list[Session], marts: duckdb.DuckDBPyConnection
) -> None:
    people = [session for session in sessions if not session.is_bot]
    expected = set()
    for session in people:
        for order in session.orders:
            placed = min(at(event) for event in session.events if event.get("orderId") == order)
            touches = sorted(
                (other.began, other.key)
                for other in people
                if other.visitor == session.visitor and placed - timedelta(days=30) <= other.began <= placed
            )
            expected |= {(order, one, number, len(touches)) for number, (_, one) in enumerate(touches, 1)}

    found = marts.execute("SELECT order_id, session_id, touch_no, touches FROM fct_attribution_touches").fetchall()

    assert set(found) == expected
    assert len(found) == len(expected)
    credits_given = "sum(first_credit), sum(last_credit), round(sum(linear_credit), 6)"
    assert marts.execute(f"SELECT {credits_given} FROM fct_attribution_touches").fetchall() == [
        (len({order for order, *_ in expected}),) * 3
    ]
    assert max(touches for *_, touches in expected) > 1


@dataclass
class Search:
    """A search as plain Python finds it, with its pages and what became of its results."""

    session: Session
    first: Event
    pages: list[Event]
    clicks: list[tuple[datetime, str, int | None]] = field(default_factory=list)
    carted: bool = False
    ordered: bool = False

    @property
    def term(self) -> str:
        return term_of(self.first)

    @property
    def place(self) -> int | None:
        return min(self.clicks)[2] if self.clicks else None


def searches_of(sessions: list[Session]) -> list[Search]:
    """The rules of fct_search_queries, said a second time."""
    found: list[Search] = []
    by_page: dict[str, Search] = {}
    running: dict[tuple[str, int], Search] = {}
    people = [session for session in sessions if not session.is_bot]
    for session in people:
        current: Search | None = None
        last_term = None
        counted = {key(event) for event in session.searches}
        for number, event in enumerate(session.events):
            if key(event) in counted:
                term = term_of(event)
                if event.get("page", "1") != "1" and term == last_term and current is not None:
                    current.pages.append(event)
                else:
                    current = Search(session, event, [event])
                    found.append(current)
                last_term = term
                by_page[key(event)] = current
            if current is not None:
                running[session.key, number] = current
    for session in people:
        for number, event in enumerate(session.events):
            if event["type"] not in {"click", "addToCart"}:
                continue
            named = by_page.get(f"server:{event.get('searchId')}")
            if named is None and event.get("source", "search") != "search":
                continue
            search = named or running.get((session.key, number))
            if search is None:
                continue
            if event["type"] == "addToCart":
                search.carted = search.carted or named is not None
                continue
            search.clicks.append((at(event), key(event), place_of(event, named)))
            later = [
                other
                for other in session.events
                if other.get("productId") == event["productId"] and at(other) >= at(event)
            ]
            search.carted = search.carted or any(other["type"] == "addToCart" for other in later)
            search.ordered = search.ordered or any(map(is_order, later))
    return found


def place_of(click: Event, search: Search | None) -> int | None:
    """Where the product stood on the logged page, else what the client says."""
    page = next((one for one in search.pages if one["eventId"] == click["searchId"]), None) if search else None
    shown = page["products"].split(",") if page else []
    if page and click["productId"] in shown:
        return (int(page["page"]) - 1) * int(page["pageSize"]) + shown.index(click["productId"])
    return int(click["position"]) if "position" in click else None


@pytest.fixture(scope="module")
def searches(sessions: list[Session]) -> list[Search]:
    return searches_of(sessions)


def test_searches_are_what_plain_python_finds(searches: list[Search], marts: duckdb.DuckDBPyConnection) -> None:
    found = marts.execute(
        "SELECT search_id, session_id, visitor_id, term, result_count, is_relaxed, language, pages, clicks,"
        " first_click_position, is_carted, is_ordered FROM fct_search_queries"
    ).fetchall()

    expected = {
        (
            key(s.first), s.session.key, s.session.visitor, s.term,
            int(s.first["resultCount"]) if "resultCount" in s.first else None, "relaxed" in s.first,
            s.first.get("language"), len(s.pages), len(s.clicks), s.place, s.carted, s.ordered,
        )
        for s in searches
    }  # fmt: skip
    assert set(found) == expected
    assert len(found) == len(expected) > 200


def test_the_random_events_hold_every_kind_of_search(sessions: list[Session], searches: list[Search]) -> None:
    """The control of the comparison above."""
    logged = [s for s in searches if s.first.get("origin") == "server"]
    assert 0 < len(logged) < len(searches)
    assert any(len(s.pages) > 1 for s in logged)
    assert any(s.first.get("page") == "2" for s in logged)
    assert any(s.session.visitor.startswith("event:") for s in logged)
    assert any(
        not s.first.keys() & {"userId", "sessionKey"} for s in logged if not s.session.visitor.startswith("event")
    )
    assert any(s.place not in {None, 7} for s in logged)
    assert any(s.place == 7 for s in logged)
    assert any(s.carted for s in logged)
    assert any(s.carted and not s.clicks for s in logged)
    said = [event for s in sessions for event in s.events if event["type"] == "search" and "origin" not in event]
    assert len(said) > len(searches) - len(logged)


def test_terms_have_the_sums_of_their_searches(searches: list[Search], marts: duckdb.DuckDBPyConnection) -> None:
    days: dict[tuple[object, str], list[Search]] = defaultdict(list)
    for search in searches:
        if search.term:
            days[at(search.first).date(), search.term].append(search)
    found = marts.execute(
        "SELECT search_date, term, searches, sessions, shoppers, counted_searches, empty_searches, relaxed_searches,"
        " clicked_searches, carted_searches, ordered_searches, round(zero_result_rate, 9),"
        " round(click_through_rate, 9), round(mean_reciprocal_rank, 9) FROM mart_search__terms_day"
    ).fetchall()

    expected = set()
    for one, group in days.items():
        counted = [s for s in group if "resultCount" in s.first]
        empty = [s for s in counted if s.first["resultCount"] == "0"]
        clicked = [s for s in group if s.clicks]
        ranks = [
            1 / (s.place + 1) if s.place is not None else 0.0 for s in group if not s.clicks or s.place is not None
        ]
        expected.add((
            *one, len(group), len({s.session.key for s in group}), len({s.session.visitor for s in group}),
            len(counted), len(empty), sum("relaxed" in s.first for s in group), len(clicked),
            sum(s.carted for s in group), sum(s.ordered for s in group),
            round(len(empty) / len(counted), 9) if counted else None, round(len(clicked) / len(group), 9),
            round(sum(ranks) / len(ranks), 9) if ranks else None,
        ))  # fmt: skip
    assert set(found) == expected


def test_synonym_candidates_and_popular_terms_are_what_plain_python_finds(
    searches: list[Search], marts: duckdb.DuckDBPyConnection
) -> None:
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for search in searches:
        later = sorted(
            (at(s.first), key(s.first), s.term)
            for s in searches
            if s.session is search.session
            and s.clicks
            and (at(s.first), key(s.first)) > (at(search.first), key(search.first))
        )
        if search.clicks or not search.term or not later or later[0][2] in {"", search.term}:
            continue
        one, other = search.term.split(), later[0][2].split()
        word, synonym = (" ".join(w for w in a if w not in b) for a, b in ((one, other), (other, one)))
        if word and synonym and not word.startswith(synonym) and not synonym.startswith(word):
            pairs[word, synonym].append(search.session.visitor)
    expected = {(*pair, len(who), len(set(who))) for pair, who in pairs.items() if len(set(who)) >= 2}
    found = marts.execute(
        "SELECT word, synonym, searches, shoppers FROM mart_search__synonym_candidates WHERE source = 'log'"
    ).fetchall()
    assert set(found) == expected
    assert ("couch", "sofa") in {(word, synonym) for word, synonym, *_ in found}

    newest = max(at(search.first).date() for search in searches)
    recent: dict[tuple[str, object], list[Search]] = defaultdict(list)
    for search in sorted(searches, key=lambda s: (at(s.first), key(s.first))):
        if search.term and "resultCount" in search.first and at(search.first).date() > newest - timedelta(days=30):
            recent[search.term, search.first.get("language")].append(search)
    popular = {
        (*one, len(group))
        for one, group in recent.items()
        if len({s.session.visitor for s in group}) >= 3
        and any(s.clicks for s in group)
        and group[-1].first["resultCount"] != "0"
    }
    rows = marts.execute("SELECT term, language, searches FROM mart_search__popular").fetchall()
    assert set(rows) == popular
    assert popular


def test_late_events_are_counted_in_the_day_that_they_changed(
    built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection
) -> None:
    late = Counter(
        at(event).date()
        for event in built_marts.events
        if datetime.fromisoformat(event["receivedAt"]).astimezone(UTC).date() > at(event).date()
    )

    found = marts.execute("SELECT funnel_date, late_events FROM mart_shop__funnel_day WHERE late_events > 0").fetchall()

    assert dict(found) == late
    assert late

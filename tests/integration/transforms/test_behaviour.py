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
    def orders(self) -> set[str]:
        return {event["orderId"] for event in self.events if event.get("origin") == "server"}

    @property
    def is_bot(self) -> bool:
        views = self.count("view")
        return any("bot" in event for event in self.events) or (views >= 60 and views > self.seconds)


def at(event: Event) -> datetime:
    return datetime.fromisoformat(event["occurredAt"])


def key(event: Event) -> str:
    return f"{event.get('origin', 'client')}:{event['eventId']}"


def sessions_of(events: list[Event]) -> list[Session]:
    """The rules of int_behaviour__events, said a second time."""
    accounts: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if "sessionKey" in event and "userId" in event:
            accounts[event["sessionKey"]].add(event["userId"])
    visitors: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        session = event.get("sessionKey")
        owners = accounts.get(session or "", set())
        user = event.get("userId") or (next(iter(owners)) if len(owners) == 1 else None)
        nameless = f"order:{event['orderId']}" if "orderId" in event else f"event:{key(event)}"
        visitor = f"user:{user}" if user else f"session:{session}" if session else nameless
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
            s.count("search"), len(s.orders), s.is_bot,
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
                if event.get("origin") == "server":
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


def test_searches_and_terms_agree(sessions: list[Session], marts: duckdb.DuckDBPyConnection) -> None:
    clicks: Counter[str] = Counter()
    terms: Counter[tuple[object, str]] = Counter()
    for session in sessions:
        search = None
        for event in session.events if not session.is_bot else ():
            if event["type"] == "search":
                search = key(event)
                clicks[search] += 0
                terms[at(event).date(), " ".join(event["query"].split()).lower()] += 1
            elif event["type"] == "click" and search and event.get("source", "search") == "search":
                clicks[search] += 1

    assert dict(marts.execute("SELECT search_id, clicks FROM fct_search_queries").fetchall()) == clicks
    rows = marts.execute("SELECT search_date, term, searches FROM mart_search__terms_day").fetchall()
    found = {(day, term): searches for day, term, searches in rows}
    assert found == {one: count for one, count in terms.items() if one[1]}


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

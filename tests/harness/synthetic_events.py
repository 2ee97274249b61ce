"""Random behaviour events of a synthetic shop, landed in a lake by the product's own code."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from tests.harness.synthetic_lake import Row, SyntheticShop
from warehouse.events.entries import Entry
from warehouse.events.landing import Landing

Event = dict[str, str]
BROWSING = ("impression", "impression", "view", "view", "click", "addToCart")
TERMS = ("lamp", "  Desk   LAMP", "chair", "")
LOGGED = ("red couch", "red sofa", "couch", "Sofa", "oak settee", "oak sofa", "sofas", "telly", "television", "lamp")


def random_events(shop: SyntheticShop, seed: int, as_of: datetime, visits: int = 150) -> list[Event]:
    """Visits of members, guests and programs in the last three weeks, and the shop's own event of each order line.

    Silences lie around 30 minutes, visits around midnight, and some events have the time of another to the microsecond.
    """
    rng = random.Random(seed)
    people = sorted({str(row["user_id"]) for row in shop.rows["orders"] if row["user_id"]})
    products = [str(row["product_id"]) for row in shop.rows["products"]] + [str(UUID(int=rng.getrandbits(128)))]
    events: list[Event] = []
    for number in range(visits):
        visitor = _visitor(rng, people, number)
        at = as_of - timedelta(days=rng.randint(1, 20), minutes=rng.choice((0, 10, 600, 819, 825)))
        for _ in range(rng.randint(1, 12)):
            events.append(_browse(rng, products, visitor, at))
            at += timedelta(seconds=rng.choice((0, 1, 20, 300, 1799, 1800, 1801)))
    events += _logged_searches(random.Random(seed + 1), people, products, as_of, visits)
    for line in shop.rows["order_items"]:
        events += _bought(shop, line, as_of)
    for number, event in enumerate(events):
        event.setdefault("eventId", str(UUID(int=(seed << 64) + number)))
    rng.shuffle(events)
    return events


def land(lake: Path, events: list[Event], as_of: datetime, horizon: timedelta = timedelta(days=90)) -> None:
    """Through the product's landing, in two batches with a repeat between them."""
    landing = Landing(str(lake), horizon, lambda: as_of)
    half = len(events) // 2
    for start, batch in ((0, events[: half + 20]), (half, events[half:])):
        entries = [
            Entry("stream", start + number + 1, f"{start + number}-0", as_of, encoded(event))
            for number, event in enumerate(batch)
        ]
        landing.land(entries)


def encoded(event: Event) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in event.items()}


def _visitor(rng: random.Random, people: list[str], number: int) -> Event:
    kind = rng.random()
    session = {"sessionKey": f"key-{rng.randint(0, 40)}"}
    if kind < 0.4:
        return session
    if kind < 0.8:
        person = rng.choice(people)
        return {"userId": person} if rng.random() < 0.2 else {"userId": person, "sessionKey": f"of-{person[-4:]}"}
    if kind < 0.85:
        return {**session, "bot": "1"}
    return {"sessionKey": f"of-{rng.choice(people)[-4:]}"} if kind < 0.95 else {}


def _browse(rng: random.Random, products: list[str], visitor: Event, at: datetime) -> Event:
    event = {
        **visitor,
        "occurredAt": at.isoformat(),
        "receivedAt": (at + timedelta(hours=rng.choice((0, 0, 9)))).isoformat(),
    }
    if rng.random() < 0.2:
        event["campaign"] = rng.choice(("spring", "mail"))
    if rng.random() < 0.3:
        event |= {"type": "search", "query": rng.choice(TERMS) or " ", "resultCount": str(rng.choice((0, 3, 40)))}
        return event
    event |= {"type": rng.choice(BROWSING), "productId": rng.choice(products)}
    if event["type"] == "click":
        event |= {"source": rng.choice(("search", "related")), "position": str(rng.randint(0, 9))}
    return event


def _logged_searches(
    rng: random.Random, people: list[str], products: list[str], as_of: datetime, visits: int
) -> list[Event]:
    """Searches as the shop logs them, some without a session, their further pages, what clients repeat of them, and
    clicks and additions that name them, also from another session."""
    events: list[Event] = []
    searches: list[Event] = []
    for number in range(visits):
        visitor = _visitor(rng, people, number)
        at = as_of - timedelta(days=rng.randint(1, 40), minutes=rng.choice((0, 10, 600)))
        for step in range(rng.randint(1, 8)):
            at += timedelta(seconds=rng.choice((0, 1, 20, 300, 1801)))
            if step == 0 or rng.random() < 0.5:
                owner = visitor if rng.random() < 0.8 else {}
                search = _logged(rng, rng.choice(LOGGED), owner, rng.sample(products, rng.randint(0, 5)), at)
                events.append(search)
                searches.append(search)
                if rng.random() < 0.3:
                    repeated = visitor | _moment(at) | {"type": "search", "query": search["query"]}
                    events.append(repeated | ({"searchId": search["eventId"]} if rng.random() < 0.5 else {}))
                continue
            named = rng.choice(searches[-3:])
            shown = [one for one in named["products"].split(",") if one] or products
            event = visitor | _moment(at) | {"type": rng.choice(("click", "click", "addToCart")), "position": "7"}
            event |= {"productId": rng.choice((rng.choice(shown), rng.choice(products))), "searchId": named["eventId"]}
            events.append(event)
    for number in range(6):
        asks, at = {"sessionKey": f"asks-twice-{number}"}, as_of - timedelta(days=2 + number)
        helped = _logged(rng, "red sofa", asks, products[:3], at + timedelta(seconds=20)) | {"page": "1"}
        click = asks | _moment(at + timedelta(seconds=30)) | {"type": "click", "productId": products[1]}
        events += [_logged(rng, "red couch", asks, [], at), helped, click | {"searchId": helped["eventId"]}]
    return events


def _logged(rng: random.Random, query: str, who: Event, shown: list[str], at: datetime) -> Event:
    return who | _moment(at) | {
        "eventId": str(UUID(int=rng.getrandbits(128))), "origin": "server", "type": "search", "query": query,
        "resultCount": str(len(shown)), "page": str(rng.choice((1, 1, 1, 2))), "pageSize": "5",
        "products": ",".join(shown), "language": rng.choice(("en", "de")),
    } | ({"relaxed": "please"} if rng.random() < 0.2 else {})  # fmt: skip


def _moment(at: datetime) -> Event:
    return {"occurredAt": at.isoformat(), "receivedAt": at.isoformat()}


def _bought(shop: SyntheticShop, line: Row, as_of: datetime) -> list[Event]:
    order = next(row for row in shop.rows["orders"] if row["order_id"] == line["order_id"])
    placed = order["created_at"]
    assert isinstance(placed, datetime)
    if placed > as_of:
        return []
    moment = placed.astimezone(UTC).isoformat()
    event = {
        "eventId": str(line["order_item_id"]), "origin": "server", "type": "purchase", "orderId": str(line["order_id"]),
        "productId": str(line["product_id"]), "quantity": str(line["quantity"]), "timeSource": "server",
        "occurredAt": moment, "receivedAt": moment,
    }  # fmt: skip
    return [event | ({"userId": str(order["user_id"])} if order["user_id"] else {})]

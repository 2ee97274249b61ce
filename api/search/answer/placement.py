"""Results that somebody pays for, among those that were found: always labelled, never more than were asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Slot:
    """A paid result. `place`: its index on the page; `card`: the JSON of its SearchResultItem."""

    place: int
    product_id: str
    card: str


def placed(ids: Sequence[str], hits: Sequence[str], slots: Sequence[Slot]) -> list[str]:
    """The results of a page in the order of the answer: each slot in its place with `sponsored` true, the others in
    theirs as they were found. A product is on the page once: in its slot. What is pushed off its end is left out."""
    if not slots:
        return list(hits)
    paid = {slot.product_id for slot in slots}
    page = [hit for product, hit in zip(ids, hits, strict=True) if product not in paid]
    for slot in sorted(slots, key=lambda one: one.place):
        page.insert(slot.place, orjson.dumps({**orjson.loads(slot.card), "sponsored": True}).decode())
    return page[: max(len(hits), len(slots))]

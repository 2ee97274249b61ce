"""The data of one shopper: the online store's row joined with the bundle's history.

The bundle's history alone when the store is unavailable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serving.bundle.read import Bundle
from serving.guard import Guard
from serving.metrics import DEGRADED
from serving.recommender.assortment import Assortment
from serving.recommender.shopper_rows import ShopperRows, UserRow
from serving.settings import ServingSettings


@dataclass(frozen=True)
class Shopper:
    """values: every user feature by name. bought: products that are not shown again.

    sequence: distinct products, oldest first. ages: how many orders ago each was bought.
    """

    values: Mapping[str, float]
    bought: tuple[str, ...]
    sequence: tuple[str, ...]
    ages: tuple[int, ...]


class Shoppers:
    """Reads shoppers under a deadline. One connection pool for the process."""

    def __init__(self, settings: ServingSettings) -> None:
        self._store = ShopperRows(settings)
        self._guard = Guard("online_store", settings.serving_online_ms / 1000, threads=4)

    async def read(self, user_id: str | None, assortment: Assortment) -> Shopper:
        """The shopper, with defaults for an unknown one.

        Never raises: an unavailable store is counted, and the bundle's history is used.
        """
        row = await self._guard.call(lambda: self._store.read_user(user_id)) if user_id else None
        if row is not None and row.stale:
            DEGRADED.labels("online_store", "stale").inc()
        known = self._known(user_id, assortment.bundle)
        return join(assortment.unknown_shopper, row, known)

    async def close(self) -> None:
        """Close connections and threads."""
        self._guard.close()
        self._store.close()

    @staticmethod
    def _known(user_id: str | None, bundle: Bundle | None) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """(products, ages) of the bundle's history."""
        found = bundle.histories.of(user_id) if bundle and user_id else None
        if bundle is None or found is None:
            return (), ()
        return tuple(bundle.item_ids[item] for item in found[0].tolist()), tuple(found[1].tolist())


def join(unknown: Mapping[str, float], row: UserRow | None, known: tuple[Sequence[str], Sequence[int]]) -> Shopper:
    """Add the online row to the bundle's history. unknown: the values of a shopper without a row."""
    values = row.values if row else unknown
    online = row.sequence if row else ()
    sequence, ages = newer_on_top(known, online, int(values["user__orders_total"]))
    bought = tuple(dict.fromkeys([*known[0], *(row.bought if row else ()), *online]))
    return Shopper(values, bought, sequence, ages)


def newer_on_top(
    known: tuple[Sequence[str], Sequence[int]], online: Sequence[str], orders: int
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Distinct products oldest first with their age in orders.

    The bundle records the order of each product; the online list (last 50 lines, newest last) does not, but is newer.
    Products that only the list holds were bought after the bundle was fitted: they count as the newest order, and all
    others as one order older. For a shopper who is not in the bundle the lines are spread evenly over `orders`.
    """
    products, ages = list(known[0]), list(known[1])
    if products:
        fresh = [product for product in dict.fromkeys(online) if product not in set(products)]
        shift = 1 if fresh else 0
        return (*products, *fresh), (*(age + shift for age in ages), *(0 for _ in fresh))
    last_place = {product: place for place, product in enumerate(online)}
    ordered = sorted(last_place, key=last_place.__getitem__)
    per_order = max(len(online) / max(orders, 1), 1.0)
    return tuple(ordered), tuple(int((len(online) - 1 - last_place[product]) / per_order) for product in ordered)

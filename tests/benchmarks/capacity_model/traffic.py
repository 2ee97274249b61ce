"""The design's traffic, and what is assumed about it where the design is silent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tests.benchmarks.support.buyers import SHARES

DESIGN = "the design"
ASSUMED = "assumption"
MIX = "`souk bench mixed`"


@dataclass(frozen=True)
class Given:
    """A number that the arithmetic takes as given, and where it comes from."""

    name: str
    words: str
    value: float
    unit: str
    source: str


_FOR_EACH_DETAIL = {kind: SHARES[kind] / SHARES["detail"] for kind in ("list", "for-you", "related")}
GIVEN: tuple[Given, ...] = (
    Given("requests", "requests, pictures not counted", 500_000, "a second", DESIGN),
    Given("peak", "the same at the peak", 5_000_000, "a second", DESIGN),
    Given("orders", "orders at the peak of the day", 100_000, "a minute", DESIGN),
    Given("orders_a_day", "orders", 5_000_000, "a day", DESIGN),
    Given("views_a_day", "products looked at", 500_000_000, "a day", DESIGN),
    Given("searches_a_day", "searches", 100_000_000, "a day", DESIGN),
    Given("daily_users", "people a day", 50_000_000, "a day", DESIGN),
    Given("concurrent_users", "people at one time", 10_000_000, "", DESIGN),
    Given("users", "accounts", 200_000_000, "", DESIGN),
    Given("products", "products", 100_000_000, "", DESIGN),
    Given("hot_products", "products whose pages are cached", 1_000_000, "", DESIGN),
    Given("additions", "additions to a cart for each order", 2 / 0.3, "", f"{ASSUMED}: two lines, three carts of ten"),
    Given("list", "pages of the list for each product's page", _FOR_EACH_DETAIL["list"], "", MIX),
    Given("for-you", "for-you answers for each product's page", _FOR_EACH_DETAIL["for-you"], "", MIX),
    Given("related", "related products for each product's page", _FOR_EACH_DETAIL["related"], "", MIX),
    Given("list_hits", "pages of the list that a cache holds", 0.9, "of all", ASSUMED),
    Given("headroom", "use of a core; the rest is for peaks and lost machines", 0.5, "of it", ASSUMED),
    Given("server_cores", "cores of one database server", 32, "", ASSUMED),
    Given("server_wal", "log that one database server writes", 100e6, "bytes/s", ASSUMED),
)
VALUES: Mapping[str, float] = {given.name: given.value for given in GIVEN}


def hit_share(hot: float, products: float) -> float:
    """The share of requests that go to the `hot` best of `products`, when they are asked for by Zipf's law."""
    return (math.log(hot) + _EULER) / (math.log(products) + _EULER)


_EULER = 0.5772156649


def rates(given: Mapping[str, float] = VALUES) -> dict[str, float]:
    """Requests a second of each kind; their sum is `requests`."""
    orders = given["orders"] / 60
    carts = orders * given["additions"]
    weights = {
        "detail": 1.0,
        "list": given["list"],
        "search": given["searches_a_day"] / given["views_a_day"],
        "for-you": given["for-you"],
        "related": given["related"],
    }
    one = (given["requests"] - orders - carts) / sum(weights.values())
    hits = {"detail": hit_share(given["hot_products"], given["products"]), "list": given["list_hits"]}
    found: dict[str, float] = {}
    for kind, weight in weights.items():
        if kind in hits:
            found[kind] = one * weight * hits[kind]
            found[f"{kind}.miss"] = one * weight * (1 - hits[kind])
        else:
            found[kind] = one * weight
    return {**found, "cart": carts, "order": orders}

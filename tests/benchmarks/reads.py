"""`souk bench reads`: what a page of the product list, a product's page and a search cost.

A throw-away shop; clients with kept-open connections in closed loops. `list` and `detail` repeat popular pages and are
compared with a FastAPI app that answers with ready pages of the same size on the same server in the same run. `.miss`
asks for each page once, with every cache empty. `search` is compared with the processor time of bare Tantivy queries
for the same words on the same index. With `--products 50k` or `1M` the names say so.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Annotated, Literal

import httpx
import tantivy
import typer

from tests.benchmarks.results import record
from tests.benchmarks.support import buyers
from tests.benchmarks.support.buyers import EXPECTED, Goods
from tests.benchmarks.support.http import Expected, Request, get, path_of
from tests.benchmarks.support.load import Load
from tests.benchmarks.support.options import CORES, Profile, Workers
from tests.benchmarks.support.shop import BenchShop, throw_away_shop
from tests.benchmarks.support.target import Target, figures
from tests.harness.api import PLAIN
from warehouse.command import program
from warehouse.logs import configure

SIZES = {"2k": 2_000, "50k": 50_000, "1M": 1_000_000}
DEFAULT = "2k"
CLIENTS = (1, 8, 32)
MOST = 32
MISSES = 3_000
POPULAR_PRODUCTS = 100
SEARCHES_A_SECOND = 4_000
BARE_SEARCHES = 500
MISS_CLIENTS = 8


@dataclass
class Bench:
    """The API and the reference app on the same server, and the pages that are asked for."""

    target: Target
    goods: Goods
    seconds: float
    suffix: str
    workers: int

    def loop(self, title: str, requests: Iterable[Request], clients: int) -> Load:
        """Requests that are repeated in a closed loop, after each was asked for once."""
        ready = list(requests)
        self.target.load(f"{title}, before", ready, EXPECTED, clients=1, seconds=60)
        return self.target.load(title, ready, EXPECTED, clients=clients, seconds=self.seconds, repeat=True)

    def misses(self, title: str, requests: Iterable[Request]) -> Load:
        """Requests that are sent once each."""
        return self.target.load(title, requests, EXPECTED, clients=MISS_CLIENTS, seconds=self.seconds * 4)

    def search(self, clients: int) -> Load:
        """Searches for other words each time."""
        requests = islice(buyers.searches(self.goods, f"search-{clients}"), int(self.seconds * SEARCHES_A_SECOND))
        title = f"search, {clients} clients"
        return self.target.load(title, requests, EXPECTED, clients=clients, seconds=self.seconds)


@program("python -m tests.benchmarks.reads")
def main(
    *,
    seconds: Annotated[float, typer.Option(help="Length of each loop.")] = 4.0,
    products: Annotated[Literal["2k", "50k", "1M"], typer.Option(help="The size of the shop.")] = "2k",
    workers: Workers = CORES,
    profile: Profile = False,
) -> int:
    """Measure lists, details and searches."""
    configure("warning")
    with throw_away_shop(SIZES[products], workers=workers, profiled=profile, stocked=False) as shop:
        target = shop.start_api()
        suffix = "" if products == DEFAULT else f".{products}"
        bench = Bench(target, Goods.of(shop.url), seconds, suffix, workers)
        warm_up(bench)
        misses = {
            "list": bench.misses("list, misses", islice(buyers.lists(bench.goods), MISSES)),
            "detail": bench.misses("detail, misses", islice(buyers.details(bench.goods), MISSES)),
        }
        if profile:
            profile_loops(bench)
            shop.check(0)
            return 0
        report_misses(bench, misses)
        compare_hits(bench, shop)
        searches = {clients: bench.search(clients) for clients in CLIENTS}
        report_searches(bench, searches, bare_search_ms(bench, shop))
        shop.check(0)
    return 0


def warm_up(bench: Bench) -> None:
    """Requests of each kind that no measured one repeats."""
    best = bench.goods.products[:50]
    pages = [buyers.list_page(limit=23, page=page, sort=sort) for page in range(1, 11) for sort in buyers.SORTS]
    details = [get("detail", f"/api/v1/products/{product}") for product in best]
    searches = list(islice(buyers.searches(bench.goods, "warm-up"), 50))
    bench.target.load("warm-up", [*pages, *details, *searches], EXPECTED, clients=4, seconds=60)


def popular_details(goods: Goods) -> list[Request]:
    """The pages of the best sellers."""
    return [get("detail", f"/api/v1/products/{product}") for product in goods.products[:POPULAR_PRODUCTS]]


def profile_loops(bench: Bench) -> None:
    """The loops that matter, each with its profile."""
    for kind, requests in (("list", buyers.popular_pages(bench.goods)), ("detail", popular_details(bench.goods))):
        bench.loop(f"{kind}, {MISS_CLIENTS} clients", requests, MISS_CLIENTS)
    bench.search(MISS_CLIENTS)


def report_misses(bench: Bench, misses: dict[str, Load]) -> None:
    """Processor time of a page that no cache holds: of the API and of Postgres together."""
    for kind, load in misses.items():
        together = load.cpu_ms("api") + load.cpu_ms("postgres")
        record(
            "reads",
            f"{kind}.miss{bench.suffix}",
            ours=together,
            limit=None,
            unit="CPU ms",
            lower_is_better=True,
            note=f"API {load.cpu_ms('api'):.2f}, Postgres {load.cpu_ms('postgres'):.2f}; {load.spread}; {hits(load)}",
            **figures(load),
        )


def hits(load: Load) -> str:
    """The share of answers that came from a cache, as they say themselves."""
    found = sum(count for status, count in load.caches.items() if status.endswith("; hit"))
    return f"{found / load.done:.1%} from a cache"


def compare_hits(bench: Bench, shop: BenchShop) -> None:
    """Popular pages, in turns with ready pages of the same size."""
    requests = {"list": buyers.popular_pages(bench.goods), "detail": popular_details(bench.goods)}
    bodies = {kind: middle_body(bench.target, asked) for kind, asked in requests.items()}
    ready = shop.start_reference(bodies)
    for clients in CLIENTS:
        for kind, asked in requests.items():
            ours = bench.loop(f"{kind}, {clients} clients", asked, clients)
            expected = {kind: Expected(200, bodies[kind][:20].decode())}
            limit = ready.load(
                f"ready {kind}, {clients} clients",
                [get(kind, f"/{kind}")],
                expected,
                clients=clients,
                seconds=bench.seconds,
                repeat=True,
            )
            names = [f"{kind}.c{clients}", *([kind] if clients == MOST else [])]
            for name in names:
                record(
                    "reads",
                    f"{name}{bench.suffix}",
                    ours=ours.rate,
                    limit=limit.rate,
                    unit="requests/s",
                    lower_is_better=False,
                    note=f"{ours.spread}; {len(bodies[kind]):,} bytes; {hits(ours)}",
                    ready=figures(limit),
                    workers=bench.workers,
                    **figures(ours),
                )
    shop.stop("reference")


def middle_body(target: Target, requests: list[Request]) -> bytes:
    """The answer of middle size."""
    with httpx.Client(base_url=f"http://127.0.0.1:{target.port}", trust_env=False, verify=PLAIN) as client:
        # As the clients ask: without compression.
        answers = [client.get(path_of(request), headers={"Accept-Encoding": "identity"}) for request in requests]
    bodies = sorted((answer.raise_for_status().content for answer in answers), key=len)
    return bodies[len(bodies) // 2]


def bare_search_ms(bench: Bench, shop: BenchShop) -> float:
    """Processor milliseconds of one Tantivy query with its twenty documents and the facets of an answer: brands,
    categories, prices, ratings, values of attributes."""
    from api.catalog.facets import PRICE_RANGES, RATING_STEPS
    from api.search.engine.matching import once
    from api.search.engine.store import IndexStore
    from api.search.engine.tantivy_index import open_index
    from api.search.text import surface
    from api.search.text.stops import fillers, stops
    from api.search.texts import stems_in

    folder = IndexStore(shop.folder / "search").current()
    assert folder is not None
    index = open_index(folder)
    steps = [step * 100 for step in sorted(RATING_STEPS)]
    facets: dict[str, object] = {
        "brands": {"terms": {"field": "brand", "size": 50}},
        "categories": {"terms": {"field": "category", "size": 50}},
        "values": {"terms": {"field": "values", "size": 1_000}},
        "prices": {"terms": {"field": "price_buckets", "size": len(PRICE_RANGES)}},
        "ratings": {"range": {"field": "rating_hundredths", "ranges": _ranges(steps)}},
    }

    unasked = stops("en") | fillers("en")

    def parsed(text: str) -> tantivy.Query:
        words = " ".join(stems_in("en")[word] for word in surface(text).split() if word not in unasked)
        return index.parse_query_lenient(words, ["text"], conjunction_by_default=True)[0]

    def products(text: str) -> int:
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, parsed(text)), *once([])])
        return int(index.searcher().search(query, 1).count)  # type: ignore[attr-defined]  # as below

    def search(text: str) -> None:
        """Over all documents: a product has one for each of its prices."""
        searcher, query = index.searcher(), parsed(text)
        found = searcher.search(query, 20, weight_by_field="liked")
        for _score, address in found.hits:
            searcher.doc(address)
        searcher.aggregate(query, facets)

    asked = list(islice(buyers.words(bench.goods, "search-1"), BARE_SEARCHES))
    for text in asked[:50]:
        search(text)
        found, ours = products(text), full_of(bench.target, text)
        assert found == ours, f"{text!r}: {ours} products found, {found} by the bare query"
    began = time.process_time()
    for text in asked:
        search(text)
    return (time.process_time() - began) * 1000 / len(asked)


def full_of(target: Target, text: str) -> int:
    """How many products the API finds with every word."""
    with httpx.Client(base_url=f"http://127.0.0.1:{target.port}", trust_env=False, verify=PLAIN) as client:
        return int(client.get("/api/v1/search", params={"q": text}).raise_for_status().json()["fullMatches"])


def _ranges(edges: list[int]) -> list[dict[str, int]]:
    inner = [{"from": low, "to": high} for low, high in pairwise(edges)]
    return [{"to": edges[0]}, *inner, {"from": edges[-1]}]


def report_searches(bench: Bench, searches: dict[int, Load], bare_ms: float) -> None:
    """Rates and waits at each number of clients; the processor time against the bare query's."""
    for clients, load in searches.items():
        record(
            "reads",
            f"search.c{clients}{bench.suffix}",
            ours=load.rate,
            limit=None,
            unit="requests/s",
            lower_is_better=False,
            note=str(load.spread),
            workers=bench.workers,
            **figures(load),
        )
    load = searches[MOST]
    record(
        "reads",
        f"search{bench.suffix}",
        ours=load.cpu_ms("api"),
        limit=bare_ms,
        unit="CPU ms",
        lower_is_better=True,
        note="API, against one bare Tantivy query with its documents and the same facets",
        **figures(load),
    )


if __name__ == "__main__":
    sys.exit(main())

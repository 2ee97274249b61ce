"""The pure parts of the benchmarks of the running shop: percentiles, arrivals, whole answers, what the tools print."""

import random
from collections import Counter
from itertools import islice, pairwise

import pytest

from tests.benchmarks import capacity
from tests.benchmarks.support import buyers
from tests.benchmarks.support.buyers import Goods
from tests.benchmarks.support.gateway import Ledger
from tests.benchmarks.support.http import complete, get, header_of, path_of, post, status_of
from tests.benchmarks.support.load import Load, Spread, arrivals, spread
from tests.benchmarks.support.pgbench import parse
from tests.benchmarks.support.profile import package_of, report

PGBENCH = """pgbench (18.4)
transaction type: checkout.sql
number of transactions actually processed: 2341
number of failed transactions: 0 (0.000%)
latency average = 1.281 ms
initial connection time = 5.100 ms
tps = 780.250000 (without initial connection time)
"""
GOODS = Goods(
    products=[f"p{number}" for number in range(100)],
    titles=["red cotton shirt", "blue"],
    variants=[(f"p{number}", f"v{number}") for number in range(100)],
    categories=[("Home", 60), ("Home/Garden", 30), ("Toys", 10)],
)


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        ([7.0], Spread(7.0, 7.0, 7.0, 7.0)),
        ([float(n) for n in range(100, 0, -1)], Spread(50.0, 95.0, 99.0, 100.0)),
        ([float(n) for n in range(1, 1_001)], Spread(500.0, 950.0, 990.0, 1_000.0)),
        ([1.0] * 98 + [9.0, 40.0], Spread(1.0, 1.0, 9.0, 40.0)),
    ],
)
def test_percentiles_are_waits_that_occurred(waits: list[float], expected: Spread) -> None:
    assert spread(waits) == expected


def test_no_waits_have_no_percentiles() -> None:
    with pytest.raises(ValueError, match="no waits"):
        spread([])


def test_arrivals_come_at_the_rate_independently_of_one_another() -> None:
    times = arrivals(200.0, 60.0)
    gaps = [later - earlier for earlier, later in pairwise(times)]

    assert times == sorted(times)
    assert times[0] > 0
    assert times[-1] < 60
    assert len(times) == pytest.approx(12_000, rel=0.03)
    # Of a Poisson process, 1 - 1/e of the gaps are below their mean; of a clock's ticks, none.
    assert sum(gap < 1 / 200 for gap in gaps) / len(gaps) == pytest.approx(0.632, abs=0.02)
    assert times == arrivals(200.0, 60.0)
    assert times != arrivals(200.0, 60.0, seed=2)


def test_the_sum_of_two_loads_keeps_every_wait_and_adds_what_they_used() -> None:
    one = Load(
        2.0, {"order": [3.0, 4.0]}, {"201": 2}, cpu={"api": 0.02, "clients": 0.01}, others=0.5, elapsed=2.5, commits=10
    )
    other = Load(
        1.0, {"order": [5.0], "cart": [1.0]}, {"201": 1, "503": 1}, ("503",), 1, cpu={"api": 0.04}, elapsed=2.5
    )
    both = one + other

    assert both.waits == {"order": [3.0, 4.0, 5.0], "cart": [1.0]}
    assert both.done == 4
    assert both.rate == pytest.approx(4 / 3)
    assert both.statuses == {"201": 3, "503": 1}
    assert (both.errors, both.wrong, both.commits, both.others_cores) == (1, ("503",), 10, 0.1)
    assert both.cpu_ms("api") == pytest.approx(15.0)
    assert both.cpu_ms("clients") == pytest.approx(2.5)
    assert both.cpu_ms("worker") == 0


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-le", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", True),
        (b"HTTP/1.1 200 OK\r\nx-first: 1\r\ncontent-length: 0\r\nx-last: 2\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", False),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n", True),
    ],
)
def test_an_answer_is_whole_when_its_body_is(answer: bytes, *, whole: bool) -> None:
    assert complete(answer) is whole


def test_a_request_states_its_length_and_an_answer_its_status() -> None:
    request = post("order", "/api/v1/orders", {"a": 1}, {"Idempotency-Key": "k"})

    assert request.raw == (
        b"POST /api/v1/orders HTTP/1.1\r\nHost: souk\r\nIdempotency-Key: k\r\n"
        b'Content-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}'
    )
    assert complete(request.raw)
    assert path_of(get("list", "/api/v1/products?page=2")) == "/api/v1/products?page=2"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nCache-Status: souk-redis; hit\r\n\r\nx\r\ncache-status: no"
    assert header_of(answer, b"cache-status") == "souk-redis; hit"
    assert header_of(answer, b"age") == ""
    assert status_of(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") == 503


def test_pgbench_prints_checkouts_and_their_rate() -> None:
    assert parse(PGBENCH) == (2341, 780.25)


@pytest.mark.parametrize("printed", [PGBENCH.replace("failed transactions: 0", "failed transactions: 3"), "error"])
def test_a_failed_run_of_pgbench_is_no_limit(printed: str) -> None:
    with pytest.raises(RuntimeError, match="pgbench failed"):
        parse(printed)


def test_the_instant_gateway_repeats_its_answer_and_keeps_a_ledger() -> None:
    ledger = Ledger()
    held = {"key": "c1", "amount": "12.50", "currency": "EUR", "token": "t", "reference": "o1"}
    first = ledger.record("/v1/authorisations", held)
    captured = ledger.record("/v1/captures", {"key": "c1:capture", "authorisationKey": "c1", "amount": "12.50"})

    assert first[0] == 201
    assert ledger.record("/v1/authorisations", held) == (200, first[1])
    assert captured[1] == {
        "sequence": 2,
        "key": "c1:capture",
        "kind": "capture",
        "status": "captured",
        "parentKey": "c1",
        "amount": "12.50",
        "currency": "EUR",
        "reference": "o1",
        "gatewayReference": "instant_2",
    }
    assert ledger.page(0, 1) == {"entries": [first[1]], "next": 1}
    assert ledger.page(1, 2) == {"entries": [captured[1]], "next": None}


def test_the_time_of_a_profile_counts_by_package_and_by_function() -> None:
    stacks = Counter(
        {
            ("sqlalchemy/engine/base.py:Connection.execute", "api/kernel/db.py:Tx.execute", "api/app.py:x"): 3_000,
            ("json/encoder.py:JSONEncoder.encode", "api/kernel/db.py:Tx.execute"): 1_000,
            ("uvicorn/server.py:Server.run",): 4_000,
        }
    )
    printed = report("orders", stacks, 8.0)

    assert package_of("api/kernel/db.py:Tx.execute") == "api/kernel"
    assert package_of("asyncio.py:run") == "asyncio"
    assert "orders: 8 ms sampled, 8.000 CPU ms a unit" in printed
    assert "  37.5%    3.000 ms  sqlalchemy\n" in printed
    assert "  50.0%    4.000 ms  api/kernel/db.py:Tx.execute\n" in printed
    assert "  12.5%    1.000 ms  api/kernel/db.py:Tx.execute > json\n" in printed


def test_pages_that_miss_every_cache_are_full_and_never_the_same() -> None:
    paths = [path_of(request) for request in buyers.lists(GOODS)]

    # Four full pages of everything, two of Home and one of Home/Garden; five orders, with and without a filter.
    assert len(paths) == len(set(paths)) == (4 + 2 + 1) * 5 * 2
    assert {path for path in paths if "Toys" in path} == set()


def test_an_order_has_two_variants_of_which_one_may_be_hot() -> None:
    hot = GOODS.variants[0]
    for stream in (buyers.orders(GOODS, "seed"), buyers.orders(GOODS, "hot", hot)):
        raw = [request.raw for request in islice(stream, 200)]
        assert len(set(raw)) == 200
        assert {content.count(b'"variantId"') for content in raw} == {2}
    assert {content.count(b'"v0"') for content in raw} == {1}


def test_neighbouring_additions_are_of_different_carts_of_five_lines() -> None:
    sessions = [
        request.raw.split(b"X-Session-Id: ")[1].split(b"\r\n")[0]
        for request in islice(buyers.additions(GOODS, "seed"), buyers.CARTS_AT_ONCE * 10)
    ]

    assert len(set(sessions[:32])) == 32
    assert set(Counter(sessions).values()) == {buyers.LINES_OF_A_CART}


def test_best_sellers_are_looked_at_most() -> None:
    draw = random.Random(1)
    seen = Counter(buyers.popular(GOODS, draw) for _ in range(5_000))

    assert [product for product, _ in seen.most_common(3)] == ["p0", "p1", "p2"]
    assert len(seen) > 90


def test_of_a_hundred_requests_of_the_mix_ninety_read_and_pages_keep_their_shares() -> None:
    assert sum(buyers.SHARES.values()) == 100
    assert buyers.SHARES["cart"] + buyers.SHARES["order"] == 10
    kinds = Counter(request.kind for request in islice(buyers.pages(GOODS, "seed"), 8_000))
    assert {kind: round(count / 100) for kind, count in kinds.items()} == pytest.approx(
        {"list": 30, "detail": 35, "search": 15}, abs=2
    )


def test_the_cores_of_a_load_are_named_by_use() -> None:
    load = Load(2.0, {"order": [1.0] * 4}, {"201": 4}, cpu={"redis": 0.001, "worker": 0.1, "api": 1.5})

    assert capacity.cores(load) == "api 0.75, worker 0.05"

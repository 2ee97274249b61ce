"""What the design's traffic needs, computed by hand; and what stands where a result is missing."""

import math

import pytest

from api.kernel.settings import Settings
from orchestration.runtime.postgres import PostgresCluster
from tests.benchmarks.capacity_model import limits as bounds
from tests.benchmarks.capacity_model import page
from tests.benchmarks.capacity_model.limits import limits
from tests.benchmarks.capacity_model.need import (
    MEASURED,
    PROCESSES,
    Lines,
    Servers,
    cores,
    cost,
    exponent,
    missing,
    servers,
    size_at,
)
from tests.benchmarks.capacity_model.traffic import GIVEN, VALUES, hit_share, rates
from tests.benchmarks.support.kept import kind_of
from tests.harness.processes import ROOT

CPU = {"api": 4.0, "postgres": 2.0, "worker": 1.0, "redis": 0.5, "serving": 3.0, "clients": 9.0}
ORDER = {"ours": 200.0, "cpu_ms": CPU, "wal_bytes": 25_000, "commits": 2.5, "workers": 2, "machine": "2 cores, x86_64"}
LINES: Lines = {
    "reads": {name: {"cpu_ms": CPU} for name in ("detail", "detail.miss", "list", "list.miss", "search")},
    "mixed": {
        **{name: {"cpu_ms": CPU} for name in ("for-you.c32", "related.c32")},
        "mixed.redis": {"keys": {"pages": {"count": 7, "bytes": 20_000.0}, "others": {"count": 1, "bytes": 9.0}}},
    },
    "checkout": {
        "cart.add": {"cpu_ms": CPU, "wal_bytes": 1_000},
        "checkout.c32_nine_trip": ORDER,
        "checkout.c32_one_statement": {"limit": 4_000.0},
    },
    "cdc": {
        "cdc.cpu.100": {"ours": 0.7},
        "cdc.lake": {"ours": 66_000.0},
        "cdc.bytes": {"heapBytes": 2_000_000, "liveBytes": 1_100_000, "lakeBytes": 4_000_000},
        "cdc.files": {"orders": 1_000},
    },
    "capacity": {"capacity.event": {"ours": 50.0}},
    "fresh": {
        f"one refresh against a full build, {size} orders": {"ours": ours, "limit": limit}
        for size, ours, limit in (("300k", 1.0, 72.0), ("3M", 10.0, 720.0))
    },
}


def test_the_kinds_of_requests_add_up_to_the_designs_traffic() -> None:
    found = rates()

    assert sum(found.values()) == pytest.approx(500_000)
    assert found["order"] == pytest.approx(100_000 / 60)
    assert found["cart"] == pytest.approx(100_000 / 60 * 2 / 0.3)
    details = found["detail"] + found["detail.miss"]
    assert found["search"] == pytest.approx(details / 5)
    assert found["list"] + found["list.miss"] == pytest.approx(details * 30 / 35)
    assert found["for-you"] == found["related"] == pytest.approx(details / 7)
    assert found["detail"] / details == pytest.approx(hit_share(1e6, 1e8))
    assert set(found) == {one.kind for one in MEASURED}


def test_a_cache_of_the_best_products_gets_the_share_of_zipfs_law() -> None:
    harmonic = [sum(1 / rank for rank in range(1, count + 1)) for count in (1_000, 100_000)]

    assert hit_share(1_000, 100_000) == pytest.approx(harmonic[0] / harmonic[1], abs=1e-4)
    assert hit_share(100, 100) == 1


def test_every_given_number_says_where_it_comes_from() -> None:
    assert {one.source.partition(":")[0] for one in GIVEN} == {"the design", "assumption", "`souk bench mixed`"}
    assert len(VALUES) == len(GIVEN)


def test_cores_are_rate_times_cost_over_the_use_that_is_allowed() -> None:
    found = cores({"order": 100.0, "cart": 10.0}, {"order": dict.fromkeys(PROCESSES, 5.0)}, headroom=0.5)

    assert found == {process: {"order": 1.0} for process in PROCESSES}


def test_a_request_costs_what_it_makes_work_and_nothing_that_works_anyway() -> None:
    by_kind = {one.kind: cost(LINES, one) for one in MEASURED}

    read = {"api": 4.0, "serving": 0.0, "worker": 0.0, "postgres": 2.0, "redis": 0.5, "cdc": 0.0}
    assert by_kind["detail"] == by_kind["list.miss"] == by_kind["search"] == read
    assert by_kind["for-you"] == by_kind["related"] == read | {"serving": 3.0}
    assert by_kind["cart"] == read | {"worker": 1.0}
    assert by_kind["order"] == read | {"worker": 1.0, "cdc": 0.7}


@pytest.mark.parametrize(
    ("postgres", "log", "expected"),
    [
        ({"order": 20.0, "cart": 13.0, "search": 65.0}, 90e6, Servers(2, 2, 1, 3)),
        ({"order": 20.0, "cart": 2.0}, 210e6, Servers(3, 1, 3, 0)),
        ({}, 0.0, Servers(1, 0, 0, 0)),
    ],
)
def test_buying_is_split_until_cores_and_log_of_each_server_suffice(
    postgres: dict[str, float], log: float, expected: Servers
) -> None:
    assert servers(postgres, log, server_cores=32, server_log_bytes=100e6) == expected


def test_limits_stand_in_the_order_in_which_they_are_reached() -> None:
    found = limits(LINES, server_cores=32, headroom=0.5)

    assert {one.what: round(one.factor, 6) for one in found} == {
        "the machine's cores": 1.0,
        "connections to Postgres": 5.0,  # two processes may open 40 of 200
        "the worker": 5.0,  # 200 orders of 1 ms are a fifth of a core
        "commits": 8.0,  # 500 of 4,000 a second
        "Redis": 10.0,
        "change capture": 10.0,  # 6,600 of 66,000 changes a second
        "checkpoints": round(2 * 1024**3 / (30 * 200 * 25_000), 6),
        "a pause of change capture": round(4 * 1024**3 / (60 * 200 * 25_000), 6),
        "Postgres, one server": 40.0,  # 0.4 of 16 cores
    }
    assert [one.factor for one in found] == sorted(one.factor for one in found)
    assert limits({}, server_cores=32, headroom=0.5) == []


def test_the_limits_are_those_that_the_product_sets(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = PostgresCluster(tmp_path_factory.mktemp("none"), 1, "password").argv()

    assert f"--max_connections={bounds.MAX_CONNECTIONS}" in settings
    assert f"--max_wal_size={bounds.MAX_LOG_BYTES // 1024**3}GB" in settings
    assert f"--max_slot_wal_keep_size={bounds.KEPT_LOG_BYTES // 1024**3}GB" in settings
    assert Settings.model_fields["db_pool_size"].default == bounds.POOL_SIZE


def test_a_cost_that_grows_with_a_power_reaches_its_bound_where_that_says() -> None:
    assert exponent((100, 3), (10_000, 30)) == pytest.approx(0.5)
    assert size_at(60.0, 30.0, 10_000, 0.5) == pytest.approx(40_000)
    assert size_at(60.0, 30.0, 10_000, 0.0) == math.inf


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.0123, "0.0123"), (0.5, "0.5"), (9.876, "9.88"), (40, "40"), (12_345, "12,300"), (math.inf, "never")],
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    assert page.about(value) == shown


def test_bytes_have_a_unit() -> None:
    assert [page.size(value) for value in (12, 1_500, 2.5e9, 3e15)] == ["12 B", "1.5 kB", "2.5 GB", "3 PB"]


def test_where_nothing_was_measured_the_page_names_the_commands() -> None:
    assert missing({}) == ["checkout", "mixed", "reads", "cdc"]
    found = {name: page.block(name, {}) for name in page.BLOCKS}
    assert (
        found["need"]
        == found["databases"]
        == (
            "_Not measured yet: run `souk bench checkout`, `souk bench mixed`, `souk bench reads`, `souk bench cdc`._\n"
        )
    )
    assert found["lake"] == "_Not measured yet: run `souk bench cdc`, `souk bench capacity`._\n"
    assert found["breaks"] == "_Not measured yet: run `souk bench checkout`._\n"
    assert found["history"] == "_Not measured yet: run `souk bench fresh`._\n"
    assert found["memory"] == "_Not measured yet: run `souk bench mixed`._\n"
    assert found["costs"].count("run `souk bench reads` |") == 5


def test_the_tables_show_what_was_computed() -> None:
    api = 500_000 * 4.0 / 1000 / 0.5
    assert f"| api | {page.about(api)} | {page.about(api * 10)} |" in page.need(LINES)
    # 500,000 requests of 2 ms: 2,000 cores; carts and orders are 51.1 of them.
    assert "| Postgres for carts and orders: shards by buyer | 2 | 16 | by cores 2 and 16; by log 1 and 6 |" in (
        page.databases(LINES)
    )
    assert "| Postgres for pages: standbys of the catalog | 61 | 610 |" in page.databases(LINES)
    assert "| pages | 20 kB | 1,000,000 | 20 GB |" in page.memory(LINES)
    assert "| orders, whole and newest | 1.1 kB | 5,000,000 | 5.5 GB | 2.01 TB |" in page.lake(LINES)
    assert "| Redis | 0.1 | 1 | 10 | 10x | 2,000 orders/s |" in page.breaks(LINES)
    assert "| full build of the marts | 720 s | 1.00 | 30,000,000 | 6 days |" in page.history(LINES)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (b"souk:events:behaviour", "streams of events"),
        (b"souk:recent:user:1", "latest products of a shopper"),
        (b"souk:recs:user:1", "kept recommendations"),
        (b"souk:related:1", "kept recommendations"),
        (b"souk:page:1:list", "pages"),
        (b"souk:health", "others"),
        (b"\x02\x00user\x00souk", "online features"),
    ],
)
def test_keys_of_redis_are_counted_by_what_they_hold(key: bytes, kind: str) -> None:
    assert kind_of(key) == kind


def test_the_page_shows_every_block_once() -> None:
    text = (ROOT / "docs" / "capacity.md").read_text(encoding="utf-8")

    assert [text.count(f"<!-- capacity:{name} -->") for name in page.BLOCKS] == [1] * len(page.BLOCKS)

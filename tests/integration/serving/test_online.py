"""The recommender and the online store: rows written through Feast, read per request, and Redis killed in between."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from features.columns import columns_hash
from features.materialise import materialise
from features.settings import FeatureSettings
from tests.harness.bundles import point_at, write_bundle, write_features
from tests.harness.recommender import ServingProcess, products, reasons, running_serving
from tests.harness.redis import RedisHarness, running_redis
from tests.harness.souk import wait_for

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisHarness]:
    with running_redis(tmp_path_factory.mktemp("redis"), durable=True) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    point_at(folder / "models", write_bundle(folder / "models" / "v1", columns_hash=columns_hash()))
    return folder


@pytest.fixture(scope="module")
def serving(home: Path, redis: RedisHarness) -> Iterator[ServingProcess]:
    """Bob is in the online store alone, Ann's newest purchase is newer than the bundle."""
    publish(home, redis, {"bob": ["p3"], "ann": ["p0", "p1", "p4"]})
    with running_serving(home, redis.url) as process:
        wait_for(
            lambda: process.for_you("bob")["source"] == "personal", 120
        )  # Feast is imported during the first answers
        yield process


def publish(home: Path, redis: RedisHarness, shoppers: dict[str, list[str]]) -> None:
    write_features(home, shoppers=shoppers)
    materialise(FeatureSettings(home=home, redis_url=redis.url, feast_registry_url=str(home / "registry.db")))


def test_a_shopper_only_the_online_store_knows_is_personal(serving: ServingProcess) -> None:
    answer = serving.for_you("bob", limit=1)

    assert (answer["source"], products(answer)) == ("personal", ["p4"])
    assert reasons(answer) == {"p4": "Because you bought Blue cup"}
    assert "p3" not in products(serving.for_you("bob", limit=100))


def test_a_purchase_after_the_bundle_counts_as_the_newest(serving: ServingProcess) -> None:
    answer = serving.for_you("ann", limit=3)

    assert products(answer)[0] == "p3"
    assert reasons(answer)["p3"] == "Because you bought Red cup"
    assert "p4" not in products(answer)


def test_a_new_row_changes_the_next_answer(home: Path, redis: RedisHarness, serving: ServingProcess) -> None:
    assert serving.for_you("carl")["source"] == "popular"

    publish(home, redis, {"bob": ["p3"], "ann": ["p0", "p1", "p4"], "carl": ["p0"]})

    answer = serving.for_you("carl", limit=1)
    assert (answer["source"], products(answer)) == ("personal", ["p1"])


def test_the_process_stays_under_600_megabytes(serving: ServingProcess) -> None:
    assert psutil.Process(serving.pid).memory_info().rss < 600 * 2**20


@pytest.mark.slow
def test_with_redis_killed_the_bundles_own_history_answers_and_a_counter_rises(
    redis: RedisHarness, serving: ServingProcess
) -> None:
    redis.kill9()

    started = time.monotonic()
    answers = [serving.for_you("ann", limit=1) for _ in range(10)]
    seconds = time.monotonic() - started

    assert {str(answer["source"]) for answer in answers} == {"personal"}
    assert [products(answer) for answer in answers] == [["p2"]] * 10  # from p0 and p1, which the bundle holds
    assert serving.for_you("bob")["source"] == "popular"
    causes = ("error", "late", "skipped")
    assert sum(serving.counter("serving_degraded_total", part="online_store", cause=cause) for cause in causes) >= 10
    assert seconds < 10

    redis.start()
    wait_for(lambda: products(serving.for_you("ann", limit=1)) == ["p3"], 30)

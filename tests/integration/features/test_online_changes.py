"""Redis gets the rows that changed and no others, counted by Redis itself; also after a kill, a flush, new columns."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
import redis

from features import online_rows
from features.asof import StoredRows
from features.columns import ONLINE
from features.images import Images
from features.materialise import MaterialiseResult, materialise
from features.online import OnlineStore
from features.online_rows import Stamp, read_stamp, write_stamp
from features.published import published
from features.settings import FeatureSettings
from tests.harness.bundles import write_features
from tests.harness.redis import RedisHarness, running_redis

pytestmark = pytest.mark.timeout(300)
MANY = {f"shopper{number}": ["p1"] for number in range(300)}
NOTHING = dict.fromkeys(ONLINE, 0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisHarness]:
    with running_redis(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture
def client(server: RedisHarness) -> Iterator[redis.Redis]:
    server.flush()
    with redis.Redis.from_url(server.url) as found:
        yield found


@pytest.fixture(scope="module")
def store(server: RedisHarness) -> Iterator[OnlineStore]:
    found = OnlineStore(server.url)
    found.warm(240)
    yield found
    found.close()


@pytest.fixture
def settings(tmp_path: Path, server: RedisHarness) -> FeatureSettings:
    return FeatureSettings(home=tmp_path, redis_url=server.url, feast_registry_url=str(tmp_path / "registry.db"))


def publish(settings: FeatureSettings, shoppers: dict[str, list[str]]) -> MaterialiseResult:
    write_features(settings.home, shoppers=shoppers)
    return materialise(settings)


def written(client: redis.Redis) -> dict[str, int]:
    """How often Redis has run each command that changes something."""
    stats = client.info("commandstats")
    assert isinstance(stats, dict)
    names = ("hset", "hdel", "set", "del", "unlink")
    return {name: stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in names}


def size(client: redis.Redis) -> int:
    return len(list(client.scan_iter()))


def since(client: redis.Redis, before: dict[str, int]) -> dict[str, int]:
    return {name: calls - before[name] for name, calls in written(client).items() if calls != before[name]}


def wrong(settings: FeatureSettings, store: OnlineStore) -> list[str]:
    """Shoppers whose values in Redis are not those of the published set, value for value."""
    ids = [*MANY, "new", "unknown"]
    past = StoredRows.read(published(settings)).as_of("user", ids).to_pylist()
    rows = store.read("user", ids)
    return [
        key
        for key, expected, row in zip(ids, past, rows, strict=True)
        if {name: list(v) if isinstance(v, tuple) else v for name, v in row.values.items()} != expected
    ]


def test_one_order_among_many_shoppers_writes_that_shopper_and_the_clock(
    settings: FeatureSettings, client: redis.Redis, store: OnlineStore
) -> None:
    first = publish(settings, MANY)
    before = written(client)

    done = publish(settings, MANY | {"shopper7": ["p1", "p2"]})

    assert (first.full, first.written["features_user"]) == (True, 300)
    assert (done.full, done.removed) == (False, NOTHING)
    assert done.written == {"features_user": 1, "features_user_history": 1, "features_shop": 1}
    assert done.rows == first.rows == {"features_user": 300, "features_user_history": 300, "features_shop": 1}
    assert since(client, before) == {"hset": 3, "set": 2}  # the stamp before and after
    assert wrong(settings, store) == []


def test_a_set_that_redis_holds_costs_one_read(settings: FeatureSettings, client: redis.Redis) -> None:
    publish(settings, MANY)
    before = written(client)

    with patch.object(online_rows, "OnlineRows", side_effect=AssertionError("Feast would be imported")):
        again = materialise(settings)

    assert (again.written, again.removed, again.full) == (NOTHING, NOTHING, False)
    assert again.rows["features_user"] == 300
    assert since(client, before) == {}


def test_a_shopper_who_is_gone_is_removed(settings: FeatureSettings, client: redis.Redis, store: OnlineStore) -> None:
    publish(settings, MANY)
    keys = size(client)

    done = publish(settings, {key: bought for key, bought in MANY.items() if key != "shopper7"})

    assert done.removed == {"features_user": 1, "features_user_history": 1, "features_shop": 0}
    assert size(client) == keys - 1
    assert store.read_user("shopper7") is None
    assert wrong(settings, store) == []


def killed_before_the_stamp(settings: FeatureSettings, shoppers: dict[str, list[str]]) -> None:
    """A run whose rows are written and whose last stamp is not."""

    def first_only(client: redis.Redis, stamp: Stamp) -> None:
        if len(stamp.sets) == 1:
            raise KeyboardInterrupt
        write_stamp(client, stamp)

    with patch.object(online_rows, "write_stamp", first_only), pytest.raises(KeyboardInterrupt):
        publish(settings, shoppers)


def test_what_a_killed_run_wrote_is_put_right_by_the_next(
    settings: FeatureSettings, client: redis.Redis, store: OnlineStore
) -> None:
    """The order is cancelled meanwhile: the newest set equals the one before the killed run, and Redis does not."""
    publish(settings, MANY)
    killed_before_the_stamp(settings, MANY | {"shopper7": ["p1", "p2"], "new": ["p3"]})
    assert len(read_stamp(client).sets) == 2

    done = publish(settings, MANY)

    assert done.written == {"features_user": 1, "features_user_history": 1, "features_shop": 1}
    assert done.removed == {"features_user": 1, "features_user_history": 1, "features_shop": 0}
    assert wrong(settings, store) == []


def test_without_the_stamp_before_the_rows_a_killed_run_would_leave_wrong_rows(
    settings: FeatureSettings, client: redis.Redis, store: OnlineStore
) -> None:
    """The negative control of the test above."""
    publish(settings, MANY)
    honest = read_stamp(client)
    killed_before_the_stamp(settings, MANY | {"shopper7": ["p1", "p2"]})
    write_stamp(client, honest)

    publish(settings, MANY)

    assert wrong(settings, store) == ["shopper7"]


def test_a_full_write_that_was_killed_is_done_again(
    settings: FeatureSettings, client: redis.Redis, store: OnlineStore
) -> None:
    write_features(settings.home, shoppers=MANY)
    with patch.object(online_rows.OnlineRows, "write", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        materialise(settings)

    assert materialise(settings).full
    assert wrong(settings, store) == []


def test_a_flushed_redis_old_rows_other_columns_and_a_lost_history_are_written_in_full(
    settings: FeatureSettings, client: redis.Redis, store: OnlineStore
) -> None:
    publish(settings, MANY | {"new": ["p1"]})
    write_features(settings.home, shoppers=MANY)
    stamp = read_stamp(client)
    day_ago = stamp.full_at - timedelta(days=1).total_seconds()
    losses: list[Callable[[], object]] = [
        client.flushall,
        lambda: write_stamp(client, replace(read_stamp(client), full_at=day_ago)),
        lambda: write_stamp(client, replace(read_stamp(client), definitions="of yesterday")),
        lambda: Images(settings.feast_folder / "online").forget_all_but("none"),
    ]
    for number, lost in enumerate(losses):
        lost()
        client.set(f"foreign {number} souk", "kept")

        done = materialise(settings)

        assert (done.full, done.written["features_user"]) == (True, 300)
        assert size(client) == 300 + 1 + 1 + number + 1  # shoppers, shop, stamp, foreign keys
        assert wrong(settings, store) == []
        assert materialise(settings).full is False


def test_a_row_that_does_not_change_is_as_new_as_the_set(
    settings: FeatureSettings, client: redis.Redis, store: OnlineStore
) -> None:
    """A shopper who buys nothing for days is not stale while sets are published; without them everyone is."""
    publish(settings, MANY)
    rows = online_rows.OnlineRows(settings, client)
    days_ago = datetime.now(UTC) - timedelta(days=2)
    values = {"user__orders_total": 1}
    rows.write("features_user", [("shopper7", values)], days_ago)

    assert store.read("user", ["shopper7"])[0].stale is False
    rows.write("features_shop", [("souk", {"shop__trading_day": 100})], days_ago)
    assert store.read("user", ["shopper7"])[0].stale is True
    rows.close()

"""Changes that are set for a time happen then, once, as versions of the product."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from api import nouns
from api.catalog.schedules import jobs
from api.catalog.schedules.commands import do_due
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from tests.harness.api import Server
from tests.harness.buying import Market, Worker, wait_until
from tests.harness.processes import KILLED
from tests.harness.shop import Person, problem
from tests.integration.api.catalog.test_saves import BIRCH, OAK, Saves, refused

Json = dict[str, Any]


@pytest.fixture
async def ctx(server: Server) -> AsyncIterator[Context]:
    async with open_context(Settings.model_validate({**server.env, "SOUK_PROFILE": "test"})) as context:
        yield context


@pytest.fixture
def chair(market: Market, seller: Person) -> Saves:
    return Saves(market, seller, [{**OAK, "stock": 1}, {**BIRCH, "price": 150.0}])


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def put(saves: Saves, **body: Any) -> Any:
    return saves.market.client.put(f"{saves.path}/schedule", json=body, headers=saves.seller.headers)


def schedule(saves: Saves) -> Json:
    answer = saves.market.client.get(f"{saves.path}/schedule", headers=saves.seller.headers)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def comes(saves: Saves, *kinds: str) -> None:
    """The moments of these kinds are a second ago."""
    moved = saves.market.sql.execute(
        "update scheduled_changes set at = now() - interval '1 second' where product_id = %s and kind = any(%s)",
        (saves.product_id, list(kinds)),
    )
    assert moved.rowcount == len(kinds)


def versions(saves: Saves) -> list[tuple[str, list[str]]]:
    """Author and changed fields of each version, the oldest first."""
    answer = saves.market.client.get(f"{saves.path}/versions", headers=saves.seller.headers).json()
    return [(one["author"]["kind"], one["fields"]) for one in answer["versions"]][::-1]


async def test_a_product_is_put_on_sale_and_taken_off_at_its_moments(ctx: Context, chair: Saves) -> None:
    chair.patch(status="draft")
    set_ = put(chair, publishAt=at(1), unpublishAt=at(2)).json()
    assert set_ == schedule(chair)
    assert await do_due(ctx) == 0
    assert chair.market.client.get(chair.path).status_code == 404

    comes(chair, "publish")
    assert await do_due(ctx) == 1
    assert chair.market.detail(chair.product_id)["status"] == "active"
    assert schedule(chair) == {**set_, "publishAt": None}
    comes(chair, "unpublish")
    assert await do_due(ctx) == 1
    assert chair.read()[0]["status"] == "inactive"
    assert schedule(chair) == {"publishAt": None, "unpublishAt": None, "price": None}
    assert versions(chair)[2:] == [("schedule", ["status"]), ("schedule", ["status"])]


async def test_a_price_holds_from_one_moment_to_the_other(ctx: Context, chair: Saves) -> None:
    window: Json = {"price": 80.0, "from": at(1), "to": at(2)}
    assert put(chair, price=window).status_code == 200
    comes(chair, "price_from")
    assert await do_due(ctx) == 1
    assert chair.told("price", "lowestPrice30d") == [(80.0, 100.0), (150.0, None)]
    held = schedule(chair)["price"]
    assert (held["price"], datetime.fromisoformat(held["to"])) == (80.0, datetime.fromisoformat(window["to"]))

    # It goes on if it is sent as it is read, and may end at another time.
    assert put(chair, price={**held, "to": at(3)}).status_code == 200
    assert chair.told("price") == [80.0, 150.0]
    comes(chair, "price_to")
    assert await do_due(ctx) == 1
    assert chair.told("price") == [100.0, 150.0]
    assert schedule(chair)["price"] is None
    assert versions(chair) == [("seller", []), ("schedule", ["price"]), ("schedule", ["price"])]


async def test_a_price_that_the_seller_sets_meanwhile_stays(ctx: Context, chair: Saves) -> None:
    put(chair, price={"price": 80.0, "from": at(1), "to": at(2)})
    comes(chair, "price_from")
    await do_due(ctx)
    chair.patch(price=95.0)
    comes(chair, "price_to")
    await do_due(ctx)
    assert chair.told("price") == [95.0, 150.0]
    assert versions(chair) == [("seller", []), ("schedule", ["price"]), ("seller", ["price"])]


async def test_a_price_that_is_taken_out_ends_at_once(ctx: Context, chair: Saves) -> None:
    headers = chair.seller.headers
    for take_out in (
        lambda: put(chair, publishAt=at(5)),
        lambda: chair.market.client.delete(f"{chair.path}/schedule", headers=headers),
    ):
        put(chair, price={"price": 80.0, "from": at(1), "to": at(2)})
        comes(chair, "price_from")
        await do_due(ctx)
        assert chair.told("price") == [80.0, 150.0]
        assert refused(put(chair, price={"price": 70.0, "from": at(3)})) == ("/price/from",)
        assert take_out().is_success
        assert chair.told("price") == [100.0, 150.0]
    assert schedule(chair) == {"publishAt": None, "unpublishAt": None, "price": None}
    assert await do_due(ctx) == 0


async def test_nobody_worked_while_the_moments_passed(ctx: Context, chair: Saves) -> None:
    """What is to be so now is so after a restart; a price that has ended by then never was."""
    put(chair, publishAt=at(1), unpublishAt=at(2), price={"price": 80.0, "from": at(1), "to": at(2)})
    comes(chair, "publish", "unpublish", "price_from", "price_to")
    assert await do_due(ctx) == 1
    assert (chair.read()[0]["status"], chair.told("price", "lowestPrice30d")) == (
        "inactive",
        [(100.0, None), (150.0, None)],
    )


async def test_workers_at_once_do_a_change_once(ctx: Context, market: Market, seller: Person) -> None:
    made = [Saves(market, seller, [{**OAK}]) for _ in range(4)]
    for saves in made:
        put(saves, price={"price": 80.0, "from": at(1)})
        comes(saves, "price_from")

    counts = await asyncio.gather(*(do_due(ctx) for _ in range(4)))

    assert sum(counts) == len(made)
    assert [versions(saves) for saves in made] == [[("seller", []), ("schedule", ["price"])]] * len(made)
    assert [saves.told("price") for saves in made] == [[80.0]] * len(made)


async def test_what_is_refused_when_it_is_due_is_given_up(ctx: Context, chair: Saves) -> None:
    put(chair, price={"price": 110.0, "from": at(1), "to": at(2)})
    chair.patch(listPrice=105.0)
    comes(chair, "price_from")
    assert await do_due(ctx) == 0
    assert chair.told("price") == [100.0, 150.0]
    gone = Saves(chair.market, chair.seller, [{**OAK}])
    put(gone, unpublishAt=at(1))
    comes(gone, "unpublish")
    chair.market.client.delete(gone.path, headers=gone.seller.headers)
    assert await do_due(ctx) == 0
    left = "select count(*) from scheduled_changes where product_id = %s"
    assert chair.market.scalar(left, (gone.product_id,)) == 0


def test_moments_are_in_the_future_and_in_order(chair: Saves, market: Market) -> None:
    chair.patch(listPrice=120.0)
    past, soon, later = at(-1), at(1), at(2)
    for body, pointers in (
        ({"publishAt": past}, ("/publishAt",)),
        ({"publishAt": later, "unpublishAt": soon}, ("/unpublishAt",)),
        ({"publishAt": soon, "unpublishAt": soon}, ("/unpublishAt",)),
        ({"price": {"price": 80, "from": past, "to": later}}, ("/price/from",)),
        ({"price": {"price": 80, "from": later, "to": soon}}, ("/price/to",)),
        ({"price": {"price": 121, "from": soon}}, ("/price/price",)),
        ({"price": {"price": 0, "from": soon}}, ("/price/price",)),
        ({"publishAt": "2090-01-01T00:00:00"}, ("/publishAt",)),
        ({"price": {"price": 80}}, ("/price/from",)),
    ):
        assert refused(put(chair, **body)) == pointers, body
    assert schedule(chair) == {"publishAt": None, "unpublishAt": None, "price": None}
    other = market.person("seller")
    for method in ("GET", "DELETE"):
        answer = market.client.request(method, f"{chair.path}/schedule", headers=other.headers)
        problem(answer, 404, "product-not-found")


async def test_the_job_sleeps_until_the_next_moment(
    ctx: Context, chair: Saves, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = (job for job in nouns.jobs() if job.name == "scheduled changes")
    assert (job.every_seconds, job.bell) == (jobs.LOOK_SECONDS, jobs.NEXT)
    pauses: list[float] = []
    monkeypatch.setattr(jobs.NEXT, "ring_in", pauses.append)
    for moment, left in ((None, jobs.LOOK_SECONDS), (at(1), jobs.LOOK_SECONDS), (at(10 / 3_600), 10.0)):
        if moment is not None:
            assert put(chair, publishAt=moment).status_code == 200
        assert await job.run(ctx) == 0
        # Not before the moment, and while it works it would try again soon.
        assert pauses[0] == jobs.RETRY_SECONDS
        assert left - 5 < pauses[1] <= left
        pauses.clear()
    assert chair.market.client.delete(f"{chair.path}/schedule", headers=chair.seller.headers).status_code == 204


def test_a_worker_that_runs_is_there_within_a_second(
    server: Server, market: Market, chair: Saves, tmp_path: Path
) -> None:
    """Of a moment that is set while it sleeps, and of the one after it."""
    worker = Worker(tmp_path, {**server.env, "SOUK_HOME": str(tmp_path)})
    worker.start()
    try:
        chair.patch(status="draft")
        wait_until(lambda: market.scalar("select count(*) from outbox_events where published_at is null") == 0)
        begins = datetime.now(UTC) + timedelta(seconds=1)
        ends = begins + timedelta(seconds=1)
        assert put(chair, publishAt=begins.isoformat(), unpublishAt=ends.isoformat()).status_code == 200
        late = []
        for moment, status in ((begins, "active"), (ends, "inactive")):
            wait_until(partial(_is, chair, status), 20)
            late.append((datetime.now(UTC) - moment).total_seconds())
    finally:
        worker.stop()
    # The better of both: another process of the machine may hold up one of them.
    assert min(late) < 1.0
    assert min(late) >= 0


@pytest.mark.slow
@pytest.mark.parametrize("point", ["in_change", "after_change"])
def test_a_worker_that_is_killed_leaves_nothing_undone_or_done_twice(
    server: Server, market: Market, seller: Person, tmp_path: Path, point: str
) -> None:
    made = [Saves(market, seller, [{**OAK}]) for _ in range(4)]
    for saves in made:
        assert put(saves, price={"price": 80.0, "from": at(1)}).status_code == 200
        comes(saves, "price_from")

    dying = Worker(tmp_path / "dying", server.env)
    dying.start(SOUK_FAILPOINTS=f"schedules.{point}@2=kill")
    assert dying.wait(60) == KILLED
    before = [len(versions(saves)) for saves in made]
    living = Worker(tmp_path / "living", server.env)
    living.start()
    left = "select count(*) from scheduled_changes where product_id = any(%s)"
    wait_until(lambda: market.scalar(left, ([saves.product_id for saves in made],)) == 0, 60)
    living.stop()

    assert sorted(before) == ([1, 1, 1, 2] if point == "in_change" else [1, 1, 2, 2])
    assert [versions(saves) for saves in made] == [[("seller", []), ("schedule", ["price"])]] * len(made)
    assert [saves.told("price") for saves in made] == [[80.0]] * len(made)


def _is(chair: Saves, status: str) -> bool:
    return bool(chair.read()[0]["status"] == status)

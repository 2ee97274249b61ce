"""What a crowd of votes does to counts when a vote does not lock its review."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.harness.api import Server, api_of
from tests.harness.buying import Market, Sandbox, buying_env
from tests.harness.reviews import Reviewing


@pytest.fixture
def altered(server: Server, database_url: str, sandbox: Sandbox, tmp_path: Path) -> Iterator[Market]:
    """The shop behind an API without the lock; nobody checks its invariants at the end."""
    address = api_of(tmp_path, database_url, server.env["REDIS_URL"], buying_env(sandbox))
    address.start(mutant="votes without a lock")
    shop = Market(address, database_url, sandbox)
    yield shop
    shop.close()
    address.stop()


def test_votes_are_lost_without_the_lock(altered: Market) -> None:
    reviewing = Reviewing(altered, altered.person("seller"))
    review = reviewing.review(altered.person())["reviewId"]
    crowd = [altered.person() for _ in range(5)]

    with ThreadPoolExecutor(len(crowd)) as pool:
        answers = list(pool.map(lambda who: reviewing.on(who, "POST", review, "/helpful").status_code, crowd))

    assert answers == [200] * len(crowd)
    assert reviewing.listed()["reviews"][0]["helpfulCount"] < len(crowd)
    assert altered.scalar("select count(*) from review_votes where review_id = %s", (review,)) == len(crowd)

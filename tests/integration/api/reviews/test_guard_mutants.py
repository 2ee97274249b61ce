"""What becomes of attempts that a guard of reviews refuses, in a shop without the guard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.api import Server, api_of
from tests.harness.buying import Market, Sandbox, buying_env
from tests.harness.quick import few
from tests.harness.reviews import Reviewing
from tests.integration.api.reviews.test_guards import GUARDS


@pytest.fixture
def altered(
    request: pytest.FixtureRequest, server: Server, database_url: str, sandbox: Sandbox, tmp_path: Path
) -> Iterator[Market]:
    """The shop behind an API without one of its guards; nobody checks its invariants at the end."""
    address = api_of(tmp_path, database_url, server.env["REDIS_URL"], buying_env(sandbox))
    address.start(mutant=request.param)
    shop = Market(address, database_url, sandbox)
    yield shop
    shop.close()
    address.stop()


@pytest.mark.parametrize("altered", few(GUARDS, 6), indirect=True)
def test_without_its_guard_an_attempt_ends_otherwise(altered: Market, request: pytest.FixtureRequest) -> None:
    attempt, end = GUARDS[request.node.callspec.params["altered"]]
    assert attempt(Reviewing(altered, altered.person("seller"))) != end

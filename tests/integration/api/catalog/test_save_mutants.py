"""What the runs of saves see when a rule is taken away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.api import Server, api_of
from tests.harness.buying import Market, Sandbox, buying_env
from tests.harness.quick import few
from tests.property.test_saves_machine import run

RULES = (
    "a patch of whole variants",
    "an own price that equals the product's",
    "variants that stay",
    "stock that was read before a sale",
)


@pytest.fixture(params=few(RULES, 1))
def altered(
    request: pytest.FixtureRequest, server: Server, database_url: str, sandbox: Sandbox, tmp_path: Path
) -> Iterator[Market]:
    """The shop behind an API without one of its rules; nobody checks its invariants at the end."""
    address = api_of(tmp_path, database_url, server.env["REDIS_URL"], buying_env(sandbox))
    address.start(mutant=request.param)
    shop = Market(address, database_url, sandbox)
    yield shop
    shop.close()
    address.stop()


def test_a_save_without_one_of_its_rules_is_seen(altered: Market) -> None:
    with pytest.raises(AssertionError):
        run(altered, 250)

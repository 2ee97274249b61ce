"""kill -9 of any process, the supervisor too: `souk up` brings everything back, nothing is lost, and the lake still
equals Postgres."""

import pytest

from tests.harness.platform import Platform

PROCESSES = ("postgres", "redis", "sandbox", "api", "worker", "cdc", "events", "marts", "online", "serving")


def test_after_killing_everything_up_continues_and_verify_is_clean(platform: Platform) -> None:
    orders = platform.count("orders")

    for name in PROCESSES:
        platform.kill9(name)
    platform.kill9("supervisor")
    platform.up()

    status = platform.status()
    assert {name: status[name]["healthy"] for name in PROCESSES} == dict.fromkeys(PROCESSES, True)
    assert platform.count("orders") == orders
    verified = platform.run("verify", "--invariants")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize("name", PROCESSES)
def test_a_killed_process_comes_back_by_itself(platform: Platform, name: str) -> None:
    before = platform.kill9(name)

    platform.wait_healthy(name, other_than=before)

    assert platform.pid(name) != before
    assert platform.status()[name]["healthy"] is True

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


# The others need these two.
TOGETHER = tuple(name for name in PROCESSES if name not in {"postgres", "redis"})


@pytest.mark.parametrize(
    "names",
    [*((name,) for name in PROCESSES), TOGETHER],
    ids="-".join,
)
def test_killed_processes_come_back_by_themselves(platform: Platform, names: tuple[str, ...]) -> None:
    before = {name: platform.kill9(name) for name in names}

    for name in names:
        platform.wait_healthy(name, other_than=before[name])

    status = platform.status()
    for name in names:
        assert platform.pid(name) != before[name]
        assert status[name]["healthy"] is True

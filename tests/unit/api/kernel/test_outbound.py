"""Deadlines, retries and the breaker, against answers made up by a transport."""

from collections.abc import Callable

import httpx
import pytest

from api.kernel import clock, outbound
from api.kernel.outbound import MAX_ANSWER_BYTES, OutboundClient, Unreachable

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler) -> OutboundClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return OutboundClient(http, "partner", "http://partner.example", {"Authorization": "Bearer x"}, 1.0)


class Answers:
    """Hands out statuses in order, the last one for ever; counts the calls."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.calls = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return httpx.Response(status, json={"status": status})


async def test_a_passing_failure_is_repeated_at_most_twice() -> None:
    answers = Answers(503, 502, 201)
    assert (await client(answers).post("/v1/x", {"key": "k"})).status == 201
    assert answers.calls == 3
    silent = Answers(503)
    with pytest.raises(Unreachable):
        await client(silent).post("/v1/x", {"key": "k"})
    assert silent.calls == 3


@pytest.mark.parametrize("status", [200, 301, 402, 409, 422])
async def test_a_definite_answer_is_not_repeated(status: int) -> None:
    answers = Answers(status)
    assert (await client(answers).post("/v1/x", {"key": "k"})).status == status
    assert answers.calls == 1


async def test_a_flood_is_not_read() -> None:
    with pytest.raises(Unreachable):
        await client(lambda request: httpx.Response(200, content=b"x" * (MAX_ANSWER_BYTES + 1))).post("/v1/x", {})


async def test_the_breaker_opens_and_one_probe_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    monkeypatch.setattr("random.uniform", lambda low, high: 0.0)
    answers = Answers(503)
    partner = client(answers)
    for _ in range(7):
        with pytest.raises(Unreachable):
            await partner.post("/v1/x", {})
    assert partner.breaker.is_open
    assert answers.calls == outbound.WINDOW
    with pytest.raises(Unreachable, match="breaker"):
        await partner.post("/v1/x", {})
    assert answers.calls == outbound.WINDOW, "while it is open nothing goes out"
    now += outbound.PROBE_SECONDS
    with pytest.raises(Unreachable):
        await partner.post("/v1/x", {})
    assert answers.calls == outbound.WINDOW + 1, "one probe, and it failed"
    answers.statuses = [200]
    now += outbound.PROBE_SECONDS
    assert (await partner.post("/v1/x", {})).status == 200
    assert not partner.breaker.is_open

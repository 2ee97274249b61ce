"""The frame around every request: problems, size limit, health, trace ids."""

import gc
from collections.abc import Iterator

import httpx
import pytest

from api.app import create_app
from api.kernel.settings import Settings
from tests.harness.api import Server


@pytest.fixture(scope="module")
def client(api_server: Server) -> Iterator[httpx.Client]:
    with api_server.client() as client:
        yield client


def test_ready_says_that_postgres_and_redis_answer(client: httpx.Client) -> None:
    answer = client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "redis": "up"}


def test_unknown_address_is_a_problem_document(client: httpx.Client) -> None:
    answer = client.get("/api/v1/nothing-here")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body == {
        "type": "/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is nothing at this address.",
        "instance": "/api/v1/nothing-here",
        "traceId": answer.headers["x-trace-id"],
    }


def test_wrong_method_is_405_and_names_the_allowed_one(client: httpx.Client) -> None:
    answer = client.post("/health/live")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.json()["type"] == "/problems/method-not-allowed"


def test_the_type_of_a_problem_leads_to_its_explanation(client: httpx.Client) -> None:
    refused = client.get("/api/v1/orders/none-of-yours").json()

    answer = client.get(refused["type"])

    assert answer.status_code == 200
    assert answer.json() == {
        "type": "/problems/order-not-found",
        "title": "No such order",
        "status": 404,
        "explanation": "Also for other people's orders, so that their existence is not revealed.",
    }
    assert client.get("/problems/no-such-thing").json()["type"] == "/problems/not-found"


def test_a_callers_trace_id_is_kept(client: httpx.Client) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"

    answer = client.get("/health/live", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})

    assert answer.headers["x-trace-id"] == trace


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413_with_and_without_a_length(client: httpx.Client, chunked: bool) -> None:
    body = b"x" * 1_048_577
    content = (body[i : i + 65_536] for i in range(0, len(body), 65_536)) if chunked else body

    answer = client.post("/api/v1/auth/login", content=content, headers={"content-type": "application/json"})

    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/body-too-large"


def test_security_headers_are_on_every_answer(client: httpx.Client) -> None:
    headers = client.get("/health/live").headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


def test_metrics_count_by_route_template(client: httpx.Client) -> None:
    client.get("/health/live")

    text = client.get("/metrics").text

    assert 'souk_requests_total{method="GET",route="/health/live",status="200"}' in text


async def test_full_collections_pass_over_what_a_started_shop_keeps(
    api_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_at(kept: object) -> bool:
        return any(found is kept for found in gc.get_objects())

    for name, value in api_server.env.items():
        monkeypatch.setenv(name, value)
    app = create_app(Settings())

    assert looked_at(app)
    async with app.router.lifespan_context(app):
        assert not looked_at(app)
    assert looked_at(app)

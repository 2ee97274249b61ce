"""What the shop packs, for whom, and that what is packed already stays as it is."""

import gzip
import random

import httpx
import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.kernel.compression import MIN_BYTES, THREAD_BYTES
from api.kernel.middleware import RequestMiddleware

LONG = b'{"items":' + b"[1]" * MIN_BYTES + b"}"
JSON = "application/json"


async def answer(response: Response, accepted: str = "gzip, deflate") -> httpx.Response:
    """The answer as it is sent, not unpacked."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await response(scope, receive, send)

    transport = httpx.ASGITransport(RequestMiddleware(app, max_body_bytes=100))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        client.stream("GET", "/", headers={"Accept-Encoding": accepted}) as got,
    ):
        raw = b"".join([chunk async for chunk in got.aiter_raw()])
        return httpx.Response(got.status_code, headers=got.headers.multi_items(), extensions={"raw": raw})


def raw(answered: httpx.Response) -> bytes:
    body: bytes = answered.extensions["raw"]
    return body


@pytest.mark.parametrize("body", [LONG, LONG * (THREAD_BYTES // len(LONG) + 1)], ids=["inline", "in a thread"])
async def test_a_long_body_is_packed_for_a_client_that_accepts_it(body: bytes) -> None:
    got = await answer(Response(body, media_type=JSON))

    assert gzip.decompress(raw(got)) == body
    assert got.headers["content-encoding"] == "gzip"
    assert got.headers["vary"] == "Accept-Encoding"
    assert got.headers.get_list("content-length") == [str(len(raw(got)))]
    assert len(raw(got)) < len(body) / 2
    assert got.headers["x-content-type-options"] == "nosniff"


async def test_a_client_that_does_not_accept_it_gets_the_body_and_caches_learn_that_it_varies() -> None:
    got = await answer(Response(LONG, media_type=JSON, headers={"Vary": "Cookie"}), accepted="identity")

    assert raw(got) == LONG
    assert got.headers["vary"] == "Cookie, Accept-Encoding"
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize(
    "response",
    [
        Response(LONG[: MIN_BYTES - 1], media_type=JSON),
        Response(LONG, media_type="image/png"),
        Response(LONG, 206, media_type=JSON),
        Response(b"", 204),
        StreamingResponse(iter([LONG, LONG]), media_type=JSON),
    ],
    ids=["short", "image", "part", "empty", "stream"],
)
async def test_what_gains_nothing_passes(response: Response) -> None:
    got = await answer(response)

    assert "content-encoding" not in got.headers
    expected = LONG + LONG if isinstance(response, StreamingResponse) else bytes(response.body)
    assert raw(got) == expected


async def test_a_body_that_is_packed_already_is_not_packed_again() -> None:
    packed = gzip.compress(random.Random(1).randbytes(2 * MIN_BYTES))
    got = await answer(Response(packed, media_type=JSON, headers={"Content-Encoding": "gzip"}))

    assert raw(got) == packed
    assert got.headers.get_list("content-encoding") == ["gzip"]

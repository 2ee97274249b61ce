"""The carrier's HTTP API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.kernel import clock
from api.sandbox.carrier.book import Book
from api.sandbox.carrier.driver import Driver
from api.sandbox.carrier.rates import offers
from api.sandbox.carrier.schemas import (
    AdvanceRequest,
    CancelRequest,
    LabelRequest,
    Labels,
    Offers,
    RatesRequest,
    ScanEvent,
)
from api.sandbox.settings import SandboxSettings

# Records durably, then answers unless a fault is set.
Answer = Callable[[Callable[[], tuple[BaseModel, bool]]], Awaitable[Response]]


class Carrier:
    """The record, and what drives the parcels."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.book = Book(settings.home / "sandbox" / "carrier.sqlite")
        self._settings = settings
        self.driver: Driver | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.driver = Driver(self.book, self._settings)
        task = asyncio.create_task(self.driver.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def wake(self) -> None:
        if self.driver is not None:
            self.driver.wake()


def router_of(carrier: Carrier, answer: Answer, guarded: Sequence[object]) -> APIRouter:
    """`guarded`: the dependencies that know the merchant."""
    router = APIRouter(prefix="/carrier/v1", dependencies=list(guarded))  # type: ignore[arg-type]  # FastAPI's own class

    @router.post("/rates")
    async def rates(body: RatesRequest) -> Response:
        return await answer(lambda: (Offers(offers=offers(body, clock.now().date())), False))

    @router.post("/labels")
    async def buy(body: LabelRequest) -> Response:
        bought = await answer(lambda: carrier.book.buy(body))
        carrier.wake()
        return bought

    @router.post("/labels/cancel")
    async def cancel(body: CancelRequest) -> Response:
        return await answer(lambda: carrier.book.cancel(body.key))

    @router.get("/labels")
    async def labels() -> Labels:
        return Labels(labels=await run_in_threadpool(carrier.book.labels))

    @router.post("/advance")
    async def advance(body: AdvanceRequest) -> ScanEvent:
        event = await run_in_threadpool(carrier.book.advance, body)
        carrier.wake()
        return event

    return router

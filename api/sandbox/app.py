"""The gateway's HTTP API, and the carrier's (`sandbox/carrier`).

Each call commits first and then answers, stalls or loses the answer, to reproduce the ambiguity of real gateways.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from api.sandbox.carrier.routes import Carrier, router_of
from api.sandbox.ledger import Ledger
from api.sandbox.record import Refused
from api.sandbox.schemas import AuthorisationRequest, Entry, Faults, LedgerPage, MoneyRequest, VoidRequest
from api.sandbox.settings import SandboxSettings


class LostAnswer(Response):
    """Announces a body and closes the connection without it, like a reset after the commit."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


class Gateway:
    """The state of the routes: the ledger and the faults that tests request."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.home / "sandbox" / "ledger.sqlite")
        self.faults = Faults()

    async def answer(self, record: Callable[[], tuple[BaseModel, bool]], *, stall: bool = False) -> Response:
        """Record durably, then answer unless a fault is set; only the first call with a key stalls."""
        if self.faults.unavailable:
            return JSONResponse({"error": "unavailable"}, 503, {"Retry-After": "1"})
        entry, new = await run_in_threadpool(record)
        if self.faults.delay_seconds:
            await asyncio.sleep(self.faults.delay_seconds)
        if stall and new:
            await asyncio.sleep(self.settings.sandbox_stall_seconds)
        if self.faults.resets_after_commit:
            self.faults = self.faults.model_copy(update={"resets_after_commit": self.faults.resets_after_commit - 1})
            return LostAnswer()
        return JSONResponse(entry.model_dump(mode="json", by_alias=True), 201 if new else 200)


def create_sandbox(settings: SandboxSettings) -> FastAPI:
    """The gateway on its own ledger file."""
    gateway, carrier = Gateway(settings), Carrier(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with carrier.running():
            yield

    expected = f"Bearer {settings.sandbox_key.get_secret_value()}".encode()

    def merchant(authorization: Annotated[str, Header()] = "") -> None:
        if not hmac.compare_digest(authorization.encode(), expected):
            raise Refused("unauthorised", "Send the merchant's key as a bearer token.", 401)

    app = FastAPI(title="Souk sandbox gateway", version="1", lifespan=lifespan)
    app.add_exception_handler(Refused, _refused)
    guarded = [Depends(merchant)]
    app.include_router(router_of(carrier, gateway.answer, guarded))

    @app.get("/health/live")
    @app.get("/health/ready")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/authorisations", dependencies=guarded)
    async def authorise(body: AuthorisationRequest) -> Response:
        return await gateway.answer(lambda: gateway.ledger.authorise(body), stall=body.token == "pm_sandbox_timeout")  # noqa: S105 - a public test token

    @app.post("/v1/captures", dependencies=guarded)
    async def capture(body: MoneyRequest) -> Response:
        return await gateway.answer(lambda: gateway.ledger.capture(body))

    @app.post("/v1/voids", dependencies=guarded)
    async def void(body: VoidRequest) -> Response:
        return await gateway.answer(lambda: gateway.ledger.void(body))

    @app.post("/v1/refunds", dependencies=guarded)
    async def refund(body: MoneyRequest) -> Response:
        return await gateway.answer(lambda: gateway.ledger.refund(body))

    @app.get("/v1/ledger", dependencies=guarded)
    async def ledger(
        after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=50_000)] = 10_000
    ) -> LedgerPage:
        entries = await run_in_threadpool(gateway.ledger.page, after, limit)
        return LedgerPage(entries=entries, next=entries[-1].sequence if len(entries) == limit else None)

    @app.post("/v1/import", dependencies=guarded)
    async def load(request: Request) -> dict[str, int]:
        """JSON lines, one `Entry` each (camelCase); all or nothing, known keys are skipped."""
        entries = await run_in_threadpool(_parse, await request.body())
        return {"received": len(entries), "recorded": await run_in_threadpool(gateway.ledger.load, entries)}

    @app.put("/v1/faults", dependencies=guarded)
    async def set_faults(body: Faults) -> Faults:
        gateway.faults = body
        return body

    return app


def _parse(body: bytes) -> list[Entry]:
    entries = []
    for number, line in enumerate(body.splitlines(), 1):
        try:
            entries.append(Entry.model_validate_json(line).model_copy(update={"origin": "import"}))
        except ValidationError as error:
            first = error.errors()[0]
            raise Refused(
                "malformed_line", f"Line {number}: {'.'.join(map(str, first['loc']))}: {first['msg']}", 422
            ) from None
    return entries


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise error
    return JSONResponse({"error": error.code, "detail": str(error)}, error.status)

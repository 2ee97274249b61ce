"""An edit of a placed order, committed in this process: a test cuts it at its failpoints or holds its gateway."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from fastapi import Response

from api import nouns
from api.checkout.edits.commands import commit_edit, stage_edit
from api.checkout.edits.schemas import CommitEdit, StageEdit
from api.kernel import failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.errors import Problem
from api.kernel.failpoints import FailpointError
from api.kernel.idempotency import RequestKey
from api.orders.commands.cancel import cancel_order
from api.orders.commands.cancel_units import cancel_units
from api.orders.parcels.commands import advance_parcel
from api.orders.schemas import CancelOrder, CancelUnits
from api.payments.gateways.sandbox import SandboxGateway
from tests.harness.buying import Market
from tests.harness.shop import Person

Answer = tuple[int, str, dict[str, Any]]


def key_of(actor: Actor, name: str = "") -> RequestKey:
    """The key of a request; one name has one body."""
    return RequestKey(actor.key, name or uuid4().hex, "POST /api/v1/orders", b"\0" * 32)


async def answered(request: Awaitable[Response]) -> Answer:
    """(status, problem type or nothing, document) of a request of this process."""
    try:
        answer = await request
    except Problem as problem:
        return problem.status, problem.code, dict(problem.extra)
    document = orjson.loads(bytes(answer.body)) if answer.body else {}
    return answer.status_code, str(document.get("type", "")).removeprefix("/problems/"), document


class Edited:
    """An order of two units at 10.00, and an edit that adds one of `more` at 12.00: 12.96 are charged.

    With `guest` (session, e-mail address) the order is a guest's, and `buyer` only reads it once it is theirs.
    """

    def __init__(
        self, ctx: Context, market: Market, buyer: Person, seller: Person, *, guest: tuple[str, str] | None = None
    ) -> None:
        self.ctx, self.market, self.buyer, self.seller = ctx, market, buyer, seller
        if guest is None:
            self.actor = Actor("customer", UUID(buyer.user_id))
            self.order, self.product = market.place(buyer, seller, units=2)
        else:
            self.actor, self.product = Actor("anonymous", session_id=guest[0]), market.product(seller, stock=9)
            body = market.order_body((self.product, 2), email=guest[1])
            self.order = market.buy({"X-Session-Id": guest[0]}, body).json()["orderId"]
        self.more = market.product(seller, stock=5, price=12.0)
        self.edit: dict[str, Any] = {}
        self.key = uuid4().hex

    async def stage(self, **change: Any) -> dict[str, Any]:
        change = change or {"add": [{"variantId": self.more["variants"][0]["variantId"], "quantity": 1}]}
        request = StageEdit.model_validate(change)
        answer = await stage_edit(self.ctx, self.actor, key_of(self.actor), UUID(self.order), request)
        self.edit = orjson.loads(bytes(answer.body))
        return self.edit

    async def commit(self, token: str = "pm_sandbox_ok", *, via: Context | None = None) -> Answer:
        method = {"type": "credit_card", "token": token}
        request = CommitEdit.model_validate({"expectedTotal": self.edit["newTotal"], "paymentMethod": method})
        place = (UUID(self.order), UUID(self.edit["editId"]))
        return await answered(commit_edit(via or self.ctx, self.actor, key_of(self.actor, self.key), place, request))

    async def cut_at(self, point: str) -> None:
        """Its process dies at `point`, and its lease has ended."""
        failpoints.arm(f"{point}=error", nouns.failpoints())
        with pytest.raises(FailpointError):
            await self.commit()
        self.abandon()

    def abandon(self) -> None:
        """Whoever drove it has gone."""
        self.market.sql.execute(
            "update order_edits set lease_expires_at = now() - interval '1 second' where edit_id = %s",
            (self.edit["editId"],),
        )

    def point(self) -> str:
        return str(self.market.scalar("select point from order_edits where edit_id = %s", (self.edit["editId"],)))

    def charges(self) -> list[Decimal]:
        """What was captured for the order, the first payment first."""
        rows = self.market.sql.execute(
            "select captured_amount from payments where order_id = %s and captured_amount > 0 order by created_at",
            (self.order,),
        ).fetchall()
        return [amount for (amount,) in rows]

    def seen(self) -> dict[str, Any]:
        """The order as its buyer sees it, but for when it was changed last."""
        body: dict[str, Any] = self.market.client.get(f"/api/v1/orders/{self.order}", headers=self.buyer.headers).json()
        return body | {"updatedAt": None}


class HeldGateway:
    """Answers the first authorisation when the test says so, and the others at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()
        authorise: Callable[..., Awaitable[Any]] = SandboxGateway.authorise

        async def held(gateway: SandboxGateway, *given: Any, **named: Any) -> Any:
            first = not self.asked.is_set()
            self.asked.set()
            if first:
                await self.go_on.wait()
            return await authorise(gateway, *given, **named)

        monkeypatch.setattr(SandboxGateway, "authorise", held)


def cancel(edited: Edited, ctx: Context) -> Coroutine[Any, Any, Response]:
    """The buyer cancels the order."""
    return cancel_order(ctx, edited.actor, key_of(edited.actor), UUID(edited.order), CancelOrder())


def begin(edited: Edited, ctx: Context) -> Coroutine[Any, Any, Response]:
    """The seller starts on the order's first parcel."""
    seller = Actor("seller", UUID(edited.seller.user_id))
    parcel = UUID(edited.seen()["parcels"][0]["parcelId"])
    return advance_parcel(ctx, seller, key_of(seller), parcel, "processing")


def cancel_one(edited: Edited, ctx: Context) -> Coroutine[Any, Any, Response]:
    """The buyer cancels one unit of the first line."""
    place = (UUID(edited.order), UUID(edited.seen()["items"][0]["orderItemId"]))
    return cancel_units(ctx, edited.actor, key_of(edited.actor), place, CancelUnits(quantity=1))


CHANGES = (cancel, begin, cancel_one)

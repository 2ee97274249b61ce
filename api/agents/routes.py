"""HTTP of checkout sessions, as version 2026-04-17 of the Agentic Commerce Protocol has it."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Response

from api.agents import commands, placing
from api.agents.looks import answer
from api.agents.partners import CurrentPartner, PartnersKey
from api.agents.protocol import REFUSALS, ProtocolRoute
from api.agents.schemas import CancelSession, CompleteSession, CreateSession, UpdateSession
from api.kernel.context import Ctx

router = APIRouter(tags=["agents"], route_class=ProtocolRoute, responses=REFUSALS)
SessionId = Annotated[str, Path(alias="sessionId", max_length=100)]
_SESSION = {"description": "The session as it is now", "content": {"application/json": {}}}


@router.post(
    "/checkout_sessions",
    status_code=201,
    operation_id="createCheckoutSession",
    summary="An agent begins a checkout for a buyer",
    response_class=Response,
    responses={201: _SESSION},
)
async def create_session(ctx: Ctx, partner: CurrentPartner, key: PartnersKey, body: CreateSession) -> Response:
    """Items are variants. Nothing is held; what keeps it from being completed is in `messages`."""
    return await commands.create(ctx, partner, key, body)


@router.get(
    "/checkout_sessions/{sessionId}",
    operation_id="getCheckoutSession",
    summary="A session as it is now",
    response_class=Response,
    responses={200: _SESSION},
)
async def get_session(ctx: Ctx, partner: CurrentPartner, session_id: SessionId) -> Response:
    return answer(await commands.retrieve(ctx, partner, session_id), 200).response()


@router.post(
    "/checkout_sessions/{sessionId}",
    operation_id="updateCheckoutSession",
    summary="Other items, buyer, address or delivery option",
    response_class=Response,
    responses={200: _SESSION},
)
async def update_session(
    ctx: Ctx, partner: CurrentPartner, key: PartnersKey, session_id: SessionId, body: UpdateSession
) -> Response:
    """What is sent replaces what the session had."""
    return await commands.change(ctx, partner, key, session_id, body)


@router.post(
    "/checkout_sessions/{sessionId}/complete",
    operation_id="completeCheckoutSession",
    summary="Place the order of a session",
    response_class=Response,
    responses={200: _SESSION},
)
async def complete_session(
    ctx: Ctx, partner: CurrentPartner, key: PartnersKey, session_id: SessionId, body: CompleteSession
) -> Response:
    """At the total that the session has shown. `status` says whether there is an order; if not, `messages` say why."""
    return await placing.complete(ctx, partner, key, session_id, body)


@router.post(
    "/checkout_sessions/{sessionId}/cancel",
    operation_id="cancelCheckoutSession",
    summary="End a session without an order",
    response_class=Response,
    responses={200: _SESSION, 405: {**REFUSALS[409], "description": "It has ended already"}},
)
async def cancel_session(
    ctx: Ctx,
    partner: CurrentPartner,
    key: PartnersKey,
    session_id: SessionId,
    body: Annotated[CancelSession | None, Body()] = None,
) -> Response:
    return await commands.cancel(ctx, partner, key, session_id)

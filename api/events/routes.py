"""HTTP of behaviour events."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request

from api.events.bots import is_bot
from api.events.commands import EventSink
from api.events.schemas import Accepted, EventBatch
from api.kernel.auth import CurrentActor
from api.kernel.errors import BodyTooLarge, MalformedRequest, NotAuthenticated, ValidationFailed
from api.kernel.problems import responses

router = APIRouter(prefix="/events", tags=["events"])


async def sink_of(request: Request) -> EventSink:
    """The application's sink."""
    return cast("EventSink", request.app.state.event_sink)


@router.post(
    "",
    status_code=202,
    operation_id="recordEvents",
    summary="Record what shoppers look at and do",
    responses=responses(MalformedRequest, NotAuthenticated, ValidationFailed, BodyTooLarge),
)
async def record_events(
    request: Request, sink: Annotated[EventSink, Depends(sink_of)], actor: CurrentActor, body: EventBatch
) -> Accepted:
    """Views, clicks, impressions, cart additions, searches and purchases, at most 500 at a time."""
    bot = is_bot(request.headers.get("user-agent"))
    return Accepted(accepted=await sink.record(actor, body.events, bot=bot))

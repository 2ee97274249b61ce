"""HTTP of a member's own searches."""

from fastapi import APIRouter, Request

from api.events.schemas import Accepted
from api.events.stream import forgetting_of
from api.kernel import clock
from api.kernel.auth import SignedIn
from api.kernel.errors import NotAuthenticated, Unavailable
from api.kernel.problems import responses
from api.search.log.recorder import log_of

router = APIRouter(tags=["search"])


@router.delete(
    "/users/me/searches",
    operation_id="eraseOwnSearches",
    summary="Erase what you searched for",
    status_code=202,
    responses=responses(NotAuthenticated, Unavailable),
)
async def erase_own_searches(request: Request, actor: SignedIn) -> Accepted:
    """What this account searched for until now, also as a guest in a session that it signed in from: the words, what
    was found, and whose search it was leave the log for good within the hour, its older files within a day. Reports
    follow with their next build."""
    log = log_of(request)
    # What was noted and not sent yet goes before.
    await log.flush()
    if actor.user_id is None:
        raise AssertionError("who is signed in has an account")
    if not await log.send(forgetting_of(actor.user_id, clock.now())):
        raise Unavailable("The log of searches takes nothing at the moment; try again later.")
    return Accepted(accepted=1)

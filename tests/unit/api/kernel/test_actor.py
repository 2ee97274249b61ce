"""Who asks: the name of an actor, and what is read from the headers of a request."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from api.kernel.actor import ANONYMOUS, Actor
from api.kernel.auth import current_actor, seller, signed_in
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.security import AccessClaims
from tests.unit.api.kernel.keys import made_up_keys

KEYS = made_up_keys()
SOMEBODY = UUID("01890000-0000-7000-8000-000000000001")


@dataclass
class Guard:
    """Lets everybody in but those whose session version is too low."""

    lowest: int = 0

    async def require_live(self, claims: AccessClaims) -> None:
        if claims.session_version < self.lowest:
            raise NotAuthenticated("over")


async def actor_of(
    authorization: str | None = None, header: str | None = None, cookie: str | None = None, guard: Guard | None = None
) -> Actor:
    state = SimpleNamespace(session_guard=guard or Guard())
    cookies = {} if cookie is None else {"souk_session": cookie}
    # Any: the two parts of a request and of a context that the dependency reads
    request: Any = SimpleNamespace(cookies=cookies, app=SimpleNamespace(state=state))
    context: Any = SimpleNamespace(keys=KEYS)
    return await current_actor(request, context, authorization, header)


@pytest.mark.parametrize(
    ("actor", "key"),
    [
        (ANONYMOUS, "anonymous"),
        (Actor(kind="anonymous", session_id="guest-0001"), "session:guest-0001"),
        (Actor(kind="customer", user_id=SOMEBODY, session_id="guest-0001"), f"user:{SOMEBODY}"),
        (Actor(kind="service"), "service"),
    ],
)
def test_an_actors_key_is_the_account_then_the_session_then_the_kind(actor: Actor, key: str) -> None:
    assert actor.key == key
    assert actor.signed_in is (actor.user_id is not None)


async def test_a_token_names_the_account_and_keeps_the_guests_session() -> None:
    token = KEYS.issue_access_token(AccessClaims(SOMEBODY, "seller", 1), 60)

    assert await actor_of(f"Bearer {token}", "guest-0001") == Actor("seller", SOMEBODY, "guest-0001")
    assert await actor_of(f"bearer  {token} ") == Actor("seller", SOMEBODY)


async def test_a_guest_is_known_by_header_or_cookie_and_the_header_wins() -> None:
    assert await actor_of() == ANONYMOUS
    assert (await actor_of(cookie="from-cookie")).session_id == "from-cookie"
    assert (await actor_of(header="from-header", cookie="from-cookie")).session_id == "from-header"


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic abc", "abc", ""])
async def test_a_header_that_is_no_bearer_token_is_refused_not_ignored(header: str) -> None:
    with pytest.raises(NotAuthenticated):
        await actor_of(header)


async def test_a_session_that_ended_is_refused() -> None:
    token = KEYS.issue_access_token(AccessClaims(SOMEBODY, "customer", 1), 60)

    with pytest.raises(NotAuthenticated):
        await actor_of(f"Bearer {token}", guard=Guard(lowest=2))


@pytest.mark.parametrize("session", ["short", "x" * 129, "with space", "drop;table", "ünïcödé-0001", "line\nbreak-01"])
async def test_a_session_id_of_another_form_is_refused_by_its_pointer(session: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await actor_of(header=session)

    assert [error.pointer for error in refused.value.errors or []] == ["/header/X-Session-Id"]


async def test_who_must_sign_in_and_who_must_sell() -> None:
    customer, merchant = Actor("customer", SOMEBODY), Actor("seller", SOMEBODY)

    assert await signed_in(customer) == customer
    assert await seller(merchant) == merchant
    with pytest.raises(NotAuthenticated):
        await signed_in(ANONYMOUS)
    with pytest.raises(Forbidden):
        await seller(customer)

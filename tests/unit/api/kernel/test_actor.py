"""Who asks: the name of an actor, and what is read from the headers of a request."""

import base64
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from starlette.types import Scope

from api.identity.queries import LiveAccount
from api.kernel.actor import ANONYMOUS, Actor
from api.kernel.auth import account_of, current_actor, seller, signed_in
from api.kernel.errors import Forbidden, NotAuthenticated
from api.kernel.guests import headers_of, is_issued, new_session
from api.kernel.security import AccessClaims
from tests.unit.api.kernel.keys import made_up_keys

KEYS = made_up_keys()
MINE, OTHER = new_session(KEYS), new_session(KEYS)
SOMEBODY = UUID("01890000-0000-7000-8000-000000000001")


@dataclass
class Guard:
    """Lets everybody in but those whose session version is too low."""

    lowest: int = 0
    member: bool = False

    async def require_live(self, claims: AccessClaims) -> LiveAccount:
        if claims.session_version < self.lowest:
            raise NotAuthenticated("over")
        return LiveAccount(claims.session_version, self.member, "somebody@example.com", "customer")


async def actor_of(
    authorization: str | None = None,
    header: str | None = None,
    cookie: str | None = None,
    guard: Guard | None = None,
    *,
    scope: Scope | None = None,
) -> Actor:
    state = SimpleNamespace(session_guard=guard or Guard())
    cookies = {} if cookie is None else {"souk_session": cookie}
    # Any: the two parts of a request and of a context that the dependency reads
    request: Any = SimpleNamespace(
        cookies=cookies, app=SimpleNamespace(state=state), scope={} if scope is None else scope
    )
    settings = SimpleNamespace(api_url="https://shop.example", guest_cart_ttl_seconds=60)
    context: Any = SimpleNamespace(keys=KEYS, settings=settings)
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

    assert await actor_of(f"Bearer {token}", MINE) == Actor("seller", SOMEBODY, MINE)
    assert await actor_of(f"bearer  {token} ") == Actor("seller", SOMEBODY)
    assert (await actor_of(f"Bearer {token}")).email == "somebody@example.com"
    assert await actor_of(f"Bearer {token}", guard=Guard(member=True)) == Actor("seller", SOMEBODY, member=True)


async def test_a_guest_is_known_by_header_or_cookie_and_the_header_wins() -> None:
    assert await actor_of(cookie=MINE) == Actor("anonymous", session_id=MINE)
    assert await actor_of(header=MINE, cookie=OTHER) == Actor("anonymous", session_id=MINE)
    assert await actor_of(header="never-issued", cookie=OTHER) == Actor("anonymous", session_id=OTHER)


async def test_a_guest_without_a_session_gets_one_and_the_answer_carries_it() -> None:
    scope: Scope = {}

    guest = await actor_of(scope=scope)

    assert guest.session_id is not None
    assert (guest.new_session, is_issued(KEYS, guest.session_id)) == (True, True)
    cookie = f"souk_session={guest.session_id}; HttpOnly; Max-Age=60; Path=/; SameSite=lax; Secure"
    assert headers_of(scope) == [(b"x-session-id", guest.session_id.encode()), (b"set-cookie", cookie.encode())]


async def test_members_and_guests_with_a_session_get_none() -> None:
    token = KEYS.issue_access_token(AccessClaims(SOMEBODY, "customer", 1), 60)
    scope: Scope = {}

    await actor_of(header=MINE, scope=scope)
    member = await actor_of(f"Bearer {token}", "never-issued", scope=scope)

    assert (member, headers_of(scope)) == (Actor("customer", SOMEBODY), [])


async def test_a_page_for_everybody_looks_at_the_account_only() -> None:
    request: Any = SimpleNamespace()  # Any: nothing of it may be read
    context: Any = SimpleNamespace(keys=KEYS)  # Any: the part of a context that the dependency reads

    assert await account_of(request, context, None) == ANONYMOUS


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic abc", "abc", ""])
async def test_a_header_that_is_no_bearer_token_is_refused_not_ignored(header: str) -> None:
    with pytest.raises(NotAuthenticated):
        await actor_of(header)


async def test_a_session_that_ended_is_refused() -> None:
    token = KEYS.issue_access_token(AccessClaims(SOMEBODY, "customer", 1), 60)

    with pytest.raises(NotAuthenticated):
        await actor_of(f"Bearer {token}", guard=Guard(lowest=2))


@pytest.mark.parametrize(
    "session",
    [
        "8letters", "x" * 44, "x" * 129, "with space", "drop;table", "ünïcödé-0001", "line\nbreak-01", "", MINE + "A",
        MINE[:-1], MINE.swapcase(), MINE[22:] + MINE[:22], MINE[:22] + OTHER[22:], new_session(made_up_keys()),
    ],
    ids=count(),  # The keys are new in each process, and processes that share a run have to agree on names.
)  # fmt: skip
async def test_a_session_id_that_the_shop_never_issued_is_replaced(session: str) -> None:
    guest = await actor_of(header=session, cookie=session)

    assert guest.session_id != session
    assert guest.new_session


def test_a_session_id_has_128_random_bits() -> None:
    assert len({new_session(KEYS)[:22] for _ in range(200)}) == 200
    assert len(base64.urlsafe_b64decode(MINE[:22] + "==")) == 16
    assert new_session(KEYS, bytes(16)) == new_session(KEYS, bytes(16))


async def test_who_must_sign_in_and_who_must_sell() -> None:
    customer, merchant = Actor("customer", SOMEBODY), Actor("seller", SOMEBODY)

    assert await signed_in(customer) == customer
    assert await seller(merchant) == merchant
    with pytest.raises(NotAuthenticated):
        await signed_in(ANONYMOUS)
    with pytest.raises(Forbidden):
        await seller(customer)

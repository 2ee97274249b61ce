"""A guest's order after registering: nobody has it by an e-mail address alone, and a mailed code gives it, once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import bindparam, select

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.idempotency import RequestKey
from api.mail.tokens import token_of
from api.orders.commands import claims
from api.orders.errors import ClaimRefused
from api.orders.models import OrderToken
from tests.harness.buying import ADDRESS, Market
from tests.harness.mailing import mailing_context, mails_to, token_in
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, problem


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Context]:
    async with mailing_context(database_url, redis_url, tmp_path_factory.mktemp("claims")) as context:
        yield context


class Guest:
    """A guest's order, and the code in its mail."""

    def __init__(self, market: Market, seller: Person, email: str) -> None:
        self.market, self.email, self.headers = market, email, guest_headers()
        product = market.product(seller, price=10.0)
        answer = market.buy(self.headers, market.order_body((product, 1), email=email))
        assert answer.status_code == 201, answer.text
        self.order_id, self.number = answer.json()["orderId"], answer.json()["orderNumber"]

    async def code(self, ctx: Context) -> str:
        mails = await mails_to(ctx, self.email)
        return token_in(next(mail for mail in mails if mail.subject == f"Your order {self.number}"))

    def seen_by(self, who: Person | dict[str, str]) -> int:
        headers = who.headers if isinstance(who, Person) else who
        return self.market.client.get(f"/api/v1/orders/{self.order_id}", headers=headers).status_code


def _look_up(market: Market, number: str, email: str, token: str) -> httpx.Response:
    return market.client.post("/api/v1/orders/lookup", json={"orderNumber": number, "email": email, "token": token})


def _claim(market: Market, who: Person, token: str, key: str | None = None) -> httpx.Response:
    headers = {**who.headers, "Idempotency-Key": key or next(market.keys)}
    return market.client.post("/api/v1/orders/claim", json={"token": token}, headers=headers)


def _ask(market: Market, who: Person, email: str) -> httpx.Response:
    return market.client.post("/api/v1/orders/claim-requests", json={"email": email}, headers=who.headers)


def _refused(answer: httpx.Response) -> dict[str, Any]:
    document = problem(answer, 422, "claim-refused")
    assert document["errors"] == [{"pointer": "/token", "message": "cannot be used"}]
    return {name: document[name] for name in ("title", "detail")}


def _listed(market: Market, who: Person) -> list[str]:
    answer = market.client.get(f"/api/v1/users/{who.user_id}/orders", headers=who.headers)
    return [order["orderId"] for order in answer.json()["orders"]]


def _member(market: Market, email: str) -> Person:
    body = {"email": email, "password": "a long enough passphrase", "name": "New"}
    data = market.client.post("/api/v1/auth/register", json=body).json()
    return Person(data["user"]["userId"], email, data["accessToken"], data["refreshToken"])


async def test_an_address_alone_gives_nothing_and_the_code_of_the_order_gives_it_once(
    market: Market, context: Context, seller: Person
) -> None:
    guest = await asyncio.to_thread(Guest, market, seller, "j2@example.com")
    member, other = _member(market, "j2@example.com"), market.person()
    assert (guest.seen_by(member), _listed(market, member)) == (404, [])
    code = await guest.code(context)

    answer = _claim(market, member, code, "claim-j2")

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "claimed": 1,
        "orders": [{"orderId": guest.order_id, "orderNumber": guest.number}],
    }
    assert (guest.seen_by(member), _listed(market, member)) == (200, [guest.order_id])
    assert guest.seen_by(guest.headers) == 404
    problem(_look_up(market, guest.number, guest.email, code), 404, "order-not-found")
    replayed = _claim(market, member, code, "claim-j2")
    assert (replayed.content, replayed.headers["idempotent-replayed"]) == (answer.content, "true")
    _refused(_claim(market, member, code))
    _refused(_claim(market, other, code))
    assert guest.seen_by(other) == 404
    events = "select payload from outbox_events where event_type = 'OrdersClaimed'"
    assert market.sql.execute(events).fetchall() == [({"orderIds": [guest.order_id], "userId": member.user_id},)]


async def test_a_guest_sees_the_order_by_number_address_and_code_only(
    market: Market, context: Context, seller: Person
) -> None:
    guest = await asyncio.to_thread(Guest, market, seller, "Look.Up@example.com")
    other = await asyncio.to_thread(Guest, market, seller, "other@example.com")
    code, foreign = await guest.code(context), await other.code(context)

    answer = _look_up(market, guest.number, "look.up@EXAMPLE.com", code)

    assert answer.status_code == 200, answer.text
    assert (answer.json()["orderId"], answer.json()["email"]) == (guest.order_id, "Look.Up@example.com")
    assert answer.json()["shippingAddress"] == ADDRESS
    assert answer.json() == market.client.get(f"/api/v1/orders/{guest.order_id}", headers=guest.headers).json()
    assert _look_up(market, guest.number, guest.email, code).status_code == 200
    for number, email, token in (
        (other.number, guest.email, code),
        (guest.number, other.email, code),
        (guest.number, guest.email, foreign),
        (guest.number, guest.email, code[:-1] + ("A" if code[-1] != "A" else "E")),
        (guest.number, guest.email, token_of(context.keys, UUID(guest.order_id))),
        (guest.number, guest.email, "x"),
    ):
        problem(_look_up(market, number, email, token), 404, "order-not-found")
    # No table holds the code itself.
    stored = market.scalar("select token_hash from order_tokens where order_id = %s", (guest.order_id,))
    assert stored == hashlib.sha256(code.encode()).digest()
    market.sql.execute("update order_tokens set expires_at = now() where order_id = %s", (guest.order_id,))
    problem(_look_up(market, guest.number, guest.email, code), 404, "order-not-found")
    assert await claims_forgotten(context) == 1


async def claims_forgotten(ctx: Context) -> int:
    return await ctx.db.run(lambda tx: claims.forget_expired(tx, 100))


async def test_a_member_gets_all_guest_orders_of_an_address_whose_mail_they_read(
    market: Market, context: Context, seller: Person
) -> None:
    guests = [await asyncio.to_thread(Guest, market, seller, email) for email in ("me@home.example", "ME@home.example")]
    stranger = await asyncio.to_thread(Guest, market, seller, "not-me@home.example")
    member, thief = market.person(), market.person()

    asked_for = [_ask(market, member, email).status_code for email in ("Me@home.example", "nobody@x.example")]
    assert asked_for == [202, 202]
    mails = await mails_to(context, "me@home.example")
    [asked] = [mail for mail in mails if mail.kind == "order-claim"]
    code = token_in(asked)
    assert await mails_to(context, "nobody@x.example") == []
    _refused(_claim(market, thief, code))
    problem(_look_up(market, guests[0].number, guests[0].email, code), 404, "order-not-found")

    answer = _claim(market, member, code)

    assert answer.status_code == 200, answer.text
    assert {order["orderId"] for order in answer.json()["orders"]} == {guest.order_id for guest in guests}
    assert [guest.seen_by(member) for guest in [*guests, stranger]] == [200, 200, 404]
    _refused(_claim(market, member, code))


async def test_every_refusal_has_one_wording(market: Market, context: Context, seller: Person) -> None:
    guest = await asyncio.to_thread(Guest, market, seller, "wording@example.com")
    member = market.person()
    code = await guest.code(context)
    market.sql.execute("update order_tokens set expires_at = now() where order_id = %s", (guest.order_id,))

    refusals = [_refused(_claim(market, member, token)) for token in (code, "x", code.swapcase(), code[::-1])]

    assert [refusal == refusals[0] for refusal in refusals] == [True] * 4
    problem(market.client.post("/api/v1/orders/claim", json={"token": code}), 401, "not-authenticated")
    problem(
        market.client.post("/api/v1/orders/claim", json={"token": code}, headers=member.headers),
        400,
        "idempotency-key-missing",
    )
    assert guest.seen_by(member) == 404


async def test_the_mutant_that_does_not_look_at_expiry_and_use_gives_the_order_away(
    market: Market, context: Context, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = await asyncio.to_thread(Guest, market, seller, "mutant@example.com")
    member, code = market.person(), await guest.code(context)
    market.sql.execute(
        "update order_tokens set expires_at = now(), used_at = now() where order_id = %s", (guest.order_id,)
    )
    actor = Actor("customer", UUID(member.user_id))
    key = RequestKey(actor.key, "mutant", "POST /orders/claim", b"0" * 32)
    with pytest.raises(ClaimRefused):
        await claims.claim_orders(context, actor, key, code)

    columns = (OrderToken.token_id, OrderToken.purpose, OrderToken.order_id, OrderToken.email)
    monkeypatch.setattr(claims, "_FIND", select(*columns).where(OrderToken.token_id == bindparam("token_id")))
    await claims.claim_orders(context, actor, key, code)

    assert guest.seen_by(member) == 200


async def test_two_claims_at_once_move_an_order_once(market: Market, context: Context, seller: Person) -> None:
    guest = await asyncio.to_thread(Guest, market, seller, "twice@example.com")
    members, code = [market.person() for _ in range(4)], await guest.code(context)

    answers = await asyncio.gather(
        *(asyncio.to_thread(_claim, market, member, code, f"twice-{number}") for number, member in enumerate(members))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]
    assert [guest.seen_by(member) for member in members].count(200) == 1


async def test_asking_is_limited_by_member_and_by_address(market: Market, context: Context, seller: Person) -> None:
    await asyncio.to_thread(Guest, market, seller, "popular@example.com")
    eager = market.person()
    answers = [_ask(market, eager, f"{number}@x.example") for number in range(5)]
    assert [answer.status_code for answer in answers] == [202] * 5
    late = _ask(market, eager, "6@x.example")
    problem(late, 429, "too-many-requests")
    assert late.headers["retry-after"] == "3600"
    market.sql.execute("update order_tokens set created_at = now() - interval '61 minutes' where purpose = 'claim'")
    assert _ask(market, eager, "6@x.example").status_code == 202

    several = [_ask(market, market.person(), "popular@example.com").json() for _ in range(7)]

    assert several == [{"status": "accepted"}] * 7
    mails = [mail for mail in await mails_to(context, "popular@example.com") if mail.kind == "order-claim"]
    assert len(mails) == 5
    assert len({token_in(mail) for mail in mails}) == 5
    problem(
        market.client.post("/api/v1/orders/claim-requests", json={"email": "a@b.example"}), 401, "not-authenticated"
    )


async def test_returns_of_a_claimed_order_are_the_members(market: Market, context: Context, seller: Person) -> None:
    guest = await asyncio.to_thread(Guest, market, seller, "returns@example.com")
    member, code = market.person(), await guest.code(context)
    market.deliver(seller, guest.order_id)
    order = market.client.get(f"/api/v1/orders/{guest.order_id}", headers=guest.headers).json()
    body = {"items": [{"orderItemId": order["items"][0]["orderItemId"], "quantity": 1}], "reason": "broken"}
    headers = {**guest.headers, "Idempotency-Key": next(market.keys)}
    assert market.client.post(f"/api/v1/orders/{guest.order_id}/return", json=body, headers=headers).status_code == 200

    assert _claim(market, member, code).status_code == 200

    owners = "select o.user_id::text, r.user_id::text from orders o join returns r using (order_id) where order_id = %s"
    assert market.sql.execute(owners, (guest.order_id,)).fetchall() == [(member.user_id, member.user_id)]
    assert market.scalar("select guest_session from orders where order_id = %s", (guest.order_id,)) is None


async def test_a_lost_mail_is_sent_again_to_the_address_of_the_order_alone(
    market: Market, seller: Person, context: Context
) -> None:
    guest = Guest(market, seller, "lost-mail@example.com")
    first = await guest.code(context)
    asked = [(guest.number, "somebody.else@example.com"), ("112-0000000-0000000", guest.email)]
    asked += [(guest.number, guest.email.upper())] * (context.settings.claim_mails_per_hour + 2)

    answers = [
        market.client.post("/api/v1/orders/lookup-requests", json={"orderNumber": number, "email": email})
        for number, email in asked
    ]

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b'{"status":"accepted"}')}
    mails = [mail for mail in await mails_to(context, guest.email) if mail.subject == f"Your order {guest.number}"]
    assert len(mails) == 1 + context.settings.claim_mails_per_hour
    assert await mails_to(context, "somebody.else@example.com") == []
    codes = [token_in(mail) for mail in mails]
    assert len(set(codes)) == len(codes)
    for code in (first, codes[0]):
        assert _look_up(market, guest.number, guest.email, code).json()["orderId"] == guest.order_id
    member = _member(market, "finder-of-mail@example.com")
    assert _claim(market, member, codes[0]).json()["claimed"] == 1
    # The order is a member's now: no code opens it, and no mail is sent.
    assert _look_up(market, guest.number, guest.email, first).status_code == 404
    again = {"orderNumber": guest.number, "email": guest.email}
    assert market.client.post("/api/v1/orders/lookup-requests", json=again).status_code == 202
    assert len(await mails_to(context, guest.email)) == len(mails)

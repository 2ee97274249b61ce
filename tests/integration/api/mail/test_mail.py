"""Mail from an event of the outbox to the folder or an SMTP server: at least once, with one effect."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from api import nouns
from api.kernel import failpoints, outbox
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.kernel.outbox import Pending
from api.mail import commands
from api.mail.commands import NewMail, deliver_due
from api.mail.failpoints import POINTS
from api.mail.transports import Smtp
from tests.harness.buying import Market
from tests.harness.mailing import TOKEN, mailing_context, mails_to, settle
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person
from tests.harness.smtp import MailServer, mail_server

CLAIM = {"until": "tomorrow"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Context]:
    async with mailing_context(database_url, redis_url, tmp_path_factory.mktemp("mail")) as context:
        yield context


@pytest.fixture(autouse=True)
def empty(market: Market, context: Context) -> None:
    market.sql.execute("truncate mails")
    market.sql.execute("update outbox_events set published_at = now() where published_at is null")
    for file in _files(context):
        file.unlink()


def _files(ctx: Context) -> list[Path]:
    return sorted((ctx.settings.home / "mail").glob("*.eml"))


def _rows(market: Market) -> dict[str, tuple[str, int]]:
    """(status, attempts) by recipient."""
    rows = market.sql.execute("select recipient, status, attempts from mails").fetchall()
    return {recipient: (status, attempts) for recipient, status, attempts in rows}


async def _queue(ctx: Context, *recipients: str) -> None:
    mails = [NewMail(new_id(), "order-claim", to, CLAIM, new_id()) for to in recipients]
    await ctx.db.run(lambda tx: commands.queue(tx, mails))


async def test_members_and_guests_get_their_order_by_mail_once(
    market: Market, context: Context, seller: Person, buyer: Person
) -> None:
    product = market.product(seller, title="A <b>cup</b>", price=10.0)
    number = {}
    for who, headers, fields in (
        ("member", buyer.headers, {}),
        ("guest", guest_headers(), {"email": "Guest.One@Example.com"}),
    ):
        answer = await asyncio.to_thread(market.buy, headers, market.order_body((product, 2), **fields))
        assert answer.status_code == 201, answer.text
        number[who] = answer.json()["orderNumber"]

    [to_member], [to_guest] = await mails_to(context, buyer.email), await mails_to(context, "guest.one@example.com")

    assert to_member.subject == f"Your order {number['member']}"
    assert to_guest.subject == f"Your order {number['guest']}"
    for mail in (to_member, to_guest):
        assert "2 x A <b>cup</b>: 20.00 USD" in mail.text
        assert "Total: 26.59 USD" in mail.text
        assert "A &lt;b&gt;cup&lt;/b&gt;" in mail.html
    assert len(TOKEN.findall(to_guest.text)) == 1
    assert TOKEN.findall(to_member.text) == []
    assert (
        market.scalar("select count(*) from mails where position(%s in data::text) > 0", (_code(to_guest.text),)) == 0
    )
    first = {file.name: file.read_bytes() for file in _files(context)}
    assert len(first) == 2

    # A relay that died before its mark, and a worker that died after the delivery.
    market.sql.execute("update outbox_events set published_at = null where event_type = 'OrderPlaced'")
    market.sql.execute("update mails set status = 'queued', next_attempt_at = now()")
    await settle(context)

    assert {file.name: file.read_bytes() for file in _files(context)} == first
    assert market.scalar("select count(*) from mails") == 2


def _code(text: str) -> str:
    return str(TOKEN.findall(text)[0])


async def test_mail_does_not_wait_for_redis(
    database_url: str, market: Market, tmp_path: Path, seller: Person, buyer: Person
) -> None:
    await asyncio.to_thread(market.place, buyer, seller)
    async with mailing_context(database_url, "redis://127.0.0.1:1/0", tmp_path) as alone:
        assert len(await mails_to(alone, buyer.email)) == 1
        assert market.scalar("select count(*) from outbox_events where published_at is null") > 0


@pytest.mark.parametrize("point", sorted(POINTS))
async def test_a_worker_that_dies_on_the_way_leaves_one_mail(market: Market, context: Context, point: str) -> None:
    await _queue(context, "anna@example.com")
    failpoints.arm(f"{point}=error", nouns.failpoints())
    with pytest.raises(failpoints.FailpointError):
        await deliver_due(context)
    assert len(_files(context)) == (point == "mail.after_delivery")
    assert await deliver_due(context) == 0  # its lease has not ended

    market.sql.execute("update mails set next_attempt_at = now()")
    assert await deliver_due(context) == 1

    assert len(_files(context)) == 1
    assert _rows(market) == {"anna@example.com": ("sent", 1)}


async def test_two_events_are_two_mails_and_two_workers_send_each_once(market: Market, context: Context) -> None:
    await _queue(context, *(["anna@example.com"] * 40))

    taken = await asyncio.gather(*(deliver_due(context) for _ in range(4)))

    assert (sum(taken), len(_files(context))) == (40, 40)
    assert market.scalar("select sum(attempts) from mails") == 40


async def test_a_server_gets_every_mail_that_it_takes(market: Market, context: Context) -> None:
    answers = {"never@example.com": "550 no such box", "later@example.com": "451 too busy", "drop@example.com": ""}
    await _queue(context, "anna@example.com", *answers, "broken address", "ünï@example.com", "ben@example.com")
    nothing = NewMail(new_id(), "order-confirmation", "unwritable@example.com", {})
    await context.db.run(lambda tx: commands.queue(tx, [nothing]))
    with mail_server(MailServer(answers)) as mails:
        assert await deliver_due(context, Smtp(mails.url)) == 8

        assert {message["To"] for message in mails.received} == {"anna@example.com", "ben@example.com"}
        assert {message["Message-ID"] for message in mails.received} == {
            f"<{mail_id}@souk.example>"
            for (mail_id,) in market.sql.execute("select mail_id from mails where status = 'sent'").fetchall()
        }
        assert _rows(market) == {
            "anna@example.com": ("sent", 1),
            "ben@example.com": ("sent", 1),
            "never@example.com": ("failed", 1),
            "ünï@example.com": ("failed", 1),
            "later@example.com": ("queued", 1),
            "drop@example.com": ("queued", 1),
            "broken address": ("failed", 1),
            "unwritable@example.com": ("queued", 1),
        }
        assert await deliver_due(context, Smtp(mails.url)) == 0
        waits = "select min(next_attempt_at - now()), max(next_attempt_at - now()) from mails where status = 'queued'"
        shortest, longest = market.sql.execute(waits).fetchone() or (None, None)
        assert shortest is not None
        assert 5 < shortest.total_seconds() <= longest.total_seconds() <= 10

        mails.answers = {}
        market.sql.execute("update mails set next_attempt_at = now(), attempts = 55 where status = 'queued'")
        assert await deliver_due(context, Smtp(mails.url)) == 3
        assert _rows(market)["later@example.com"] == ("sent", 56)
        assert _rows(market)["drop@example.com"] == ("sent", 56)
        # A mail that never could be written is given up in the end, and says why.
        assert _rows(market)["unwritable@example.com"] == ("failed", 56)
    reason = market.scalar("select last_error from mails where recipient = 'unwritable@example.com'")
    assert reason == "UndefinedError: 'number' is undefined"


async def test_mail_waits_for_a_server_that_is_down_without_losing_a_try(market: Market, context: Context) -> None:
    await _queue(context, "anna@example.com", "ben@example.com")
    mails = MailServer()
    with mail_server(mails):
        pass

    assert await deliver_due(context, Smtp(mails.url)) == 2
    assert set(_rows(market).values()) == {("queued", 0)}

    market.sql.execute("update mails set next_attempt_at = now()")
    with mail_server(mails):
        assert await deliver_due(context, Smtp(mails.url)) == 2
    assert len(mails.received) == 2


async def test_an_address_beyond_ascii_is_asked_for_only_where_it_is_taken(market: Market, context: Context) -> None:
    address = "anna@exämple.com"
    for international, outcome in ((False, "failed"), (True, "sent")):
        market.sql.execute("truncate mails")
        await _queue(context, address)
        with mail_server(MailServer(international=international)) as mails:
            assert await deliver_due(context, Smtp(mails.url)) == 1
        assert [message["To"].addresses[0].addr_spec for message in mails.received] == [address] * international
        assert _rows(market) == {address: (outcome, 1)}


async def test_a_password_is_not_sent_in_the_clear(market: Market, context: Context) -> None:
    """127.0.0.1 is this machine, where nobody listens on the wire; another host must offer STARTTLS."""
    await _queue(context, "anna@example.com")
    with mail_server(MailServer()) as mails:
        url = f"smtp://user:secret@souk.localhost:{mails.port}"
        await deliver_due(context, Smtp(url))
        assert mails.received == []
    reason = market.scalar("select last_error from mails")
    assert "secret" not in reason


async def test_an_event_that_a_door_cannot_take_keeps_no_other_from_it(
    market: Market, context: Context, seller: Person, buyer: Person
) -> None:
    orders = [(await asyncio.to_thread(market.place, buyer, seller))[0] for _ in range(3)]
    taken: list[UUID] = []

    async def door(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
        if any(str(event.aggregate_id) == orders[1] for event in events):
            raise ValueError("this one")
        taken.extend(event.aggregate_id for event in events if event.event_type == "OrderPlaced")

    await outbox.relay(context, doors=[door])

    assert [str(order) for order in taken] == [orders[0], orders[2]]
    assert market.scalar("select count(*) from outbox_events where published_at is null") == 0


async def test_old_mail_is_forgotten_with_its_file(
    database_url: str, redis_url: str, market: Market, tmp_path: Path
) -> None:
    async with mailing_context(database_url, redis_url, tmp_path, SOUK_MAIL_FOLDER_LIMIT=2) as small:
        await _queue(small, *(f"{number}@example.com" for number in range(4)))
        await settle(small)
        assert await commands.forget_old(small, 100) == 2
        market.sql.execute(
            "update mails set created_at = now() - interval '31 days' where recipient <> '0@example.com'"
        )

        assert await commands.forget_old(small, 2) == 2
        assert await commands.forget_old(small, 2) == 1

        assert _rows(market) == {"0@example.com": ("sent", 1)}
        assert len(_files(small)) == 2


def test_a_row_is_one_of_three_states(market: Market) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        market.sql.execute(
            "insert into mails (mail_id, kind, recipient, data, priority, status)"
            " values (gen_random_uuid(), 'x', 'y', '{}', 0, 'lost')"
        )

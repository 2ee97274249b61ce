"""No network call happens while a transaction is open, and the rule finds every way to make one."""

import pytest

from tests.architecture.source import shop, with_file
from tests.architecture.transactions import network_inside_transactions

# The relay's session commits each statement; during a call to Redis it holds an advisory lock only.
ALLOWED = {("api/kernel/outbox.py", "Relay.run"), ("api/kernel/outbox.py", "Relay._publish_batch")}
FILE = "api/orders/example.py"
IMPORTS = """
from functools import partial
from api.events.stream import publish
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbound import OutboundClient
from api.recommendations.recommender import Recommender
"""
# From api/orders/refunds.py: the gateway is called first, and the transaction only stores its answer.
REFUND = """
async def settle_refunds(ctx: Context) -> int:
    gateway = gateway_named(ctx, "sandbox")
    async with ctx.db.read() as read:
        pending = await read.all(_PENDING, {"limit": BATCH})
    for row in pending:
        reference = await gateway.refund(row.gateway_key, refund_key=row.gateway_refund_key, amount=row.amount)
        await ctx.db.run(partial(_record, refund=row, reference=reference))
    return len(pending)


async def _record(tx: Tx, *, refund: Pending, reference: str) -> None:
    await tx.execute(*compose([_refunded(refund, reference)], "1"))
"""
# From api/identity/commands.py: a command's work is a nested function.
COMMAND = """
async def register(ctx: Context, actor: Actor, body: Register) -> SignedInUser:
    async def work(tx: Tx) -> SignedInUser:
        row = await tx.first(insert(User).values(values))
        await outbox.emit(tx, "user", row.user_id, "UserRegistered", {"userType": row.user_type})
        return await _signed_in(ctx, tx, actor, row)

    session = await ctx.db.run(work)
    await publish(ctx.redis, [], {})
    return session
"""


def found(text: str) -> set[str]:
    return {name for path, name in network_inside_transactions(with_file(FILE, IMPORTS + text)) if path == FILE}


def test_no_network_inside_a_transaction() -> None:
    assert network_inside_transactions(shop()) == ALLOWED


@pytest.mark.parametrize("clean", [REFUND, COMMAND])
def test_calls_before_and_after_the_transaction_are_fine(clean: str) -> None:
    assert found(clean) == set()


@pytest.mark.parametrize(
    ("original", "before", "inserted", "function"),
    [
        (REFUND, "    await tx.execute(", "    await gateway_named(ctx, 'sandbox').refund(key)\n", "_record"),
        (REFUND, "        pending = await read", "        await gateway.void(key)\n", "settle_refunds"),
        (COMMAND, "        return await _signed_in", "        await ctx.http.post(url)\n", "register"),
        (COMMAND, "        return await _signed_in", "        await publish(ctx.redis, [], {})\n", "register"),
    ],
)
def test_a_call_that_is_moved_inside_is_seen(original: str, before: str, inserted: str, function: str) -> None:
    assert before in original
    assert found(original.replace(before, inserted + before)) == {function}


@pytest.mark.parametrize(
    "body",
    [
        "    await _change(ctx, key, lambda tx: publish(ctx.redis, [], {}))",
        "    await ctx.db.run_alone(lambda tx: publish(ctx.redis, [], {}))",
        "    async with ctx.db.transaction() as tx:\n        await OutboundClient(settings, key).post(path, body)",
        "    async with ctx.db.autocommit() as tx:\n        await ctx.redis.get(key)",
        "    async def work(tx):\n        await ctx.http.post(url)\n    await ctx.db.run(work)",
        "    async def work(tx):\n        await ctx.http.post(url)\n    await run_once(ctx, key, work)",
        "    async def work(tx):\n        async with ctx.http.stream():\n            pass\n    await ctx.db.run(work)",
    ],
)
def test_every_way_of_opening_a_transaction_is_known(body: str) -> None:
    assert found(f"async def command(ctx: Context) -> None:\n{body}\n") == {"command"}


def test_a_call_two_functions_away_is_seen() -> None:
    text = """
async def command(ctx: Context) -> None:
    async def work(tx: Tx) -> None:
        await _tell(ctx)

    await ctx.db.run(work)


async def _tell(ctx: Context) -> None:
    await _send(ctx)


async def _send(ctx: Context) -> None:
    await ctx.http.post(url)
"""
    assert found(text) == {"command"}

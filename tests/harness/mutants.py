"""Negative controls: the product with one guard removed. A test that passes on the mutant proves nothing."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

from sqlalchemy import String, bindparam, select

from api.carts import statements as carts
from api.catalog import pages
from api.catalog.commands import change, matching
from api.catalog.kits.apportioning import Priced
from api.catalog.pictures import commands as pictures
from api.catalog.purchase import Occasion
from api.catalog.queries import offers
from api.catalog.tree import commands as tree
from api.checkout import quote
from api.checkout.quote import read_codes
from api.checkout.quoting.offers import Quote
from api.checkout.saga import opening
from api.checkout.schemas import PlaceOrder
from api.identity import guard as sessions
from api.inventory import statements
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.cache import PageKey
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.money import to_cents
from api.kernel.settings import Settings
from api.kernel.statement import Part
from api.payments.gateways.interface import Authorised, Declined, GatewayRefused
from api.payments.gateways.sandbox import SandboxGateway
from api.promotions import statements as coupons
from api.promotions.deals import Codes
from api.storefront.notices import commands as notices
from tests.harness.review_mutants import OF_REVIEWS

UNGUARDED_CONSTRAINTS = ("alter table warehouse_stock drop constraint ck_warehouse_stock_owed",)


UNLIMITED_PROMOTIONS = ("alter table promotions drop constraint ck_promotions_redeemed",)


def no_limit_of_redemptions() -> None:
    """Redeem a promotion as often as the codes were read as valid: no check in the commit.

    The database's CHECK constraint must be dropped too. A second passes between the read and the write, so that buyers
    overlap on a busy machine as well.
    """
    _read_early()
    coupons.REDEEM_CHECK = _without(
        _one_line(coupons.REDEEM_CHECK),
        " AND coalesce(p.redeemed + count(*) OVER in_all <= p.total_limit, true)",
    )


def read_then_write() -> None:
    """Take stock without a guard: subtract from the value that was read before, without a condition.

    The database's CHECK constraints must be dropped too. A second passes between the read and the write, so that buyers
    overlap on a busy machine as well.
    """

    _read_early()
    check = _one_line(statements.HOLD_CHECK)
    start = check.index("possible AS")
    unlocked = _without(check[:start], " FOR NO KEY UPDATE OF s", " FOR NO KEY UPDATE")
    passed = "possible AS (SELECT DISTINCT checkout_id FROM demand), in_stock AS (SELECT checkout_id FROM possible)"
    statements.HOLD_CHECK = unlocked + passed
    statements.MOVE_STOCK = _without(
        _one_line(statements.MOVE_STOCK), " AND s.available - s.owed + m.change >= -s.backorder_limit"
    )


def no_limit_of_what_is_owed() -> None:
    """Backorder units without asking how many the warehouse may owe when they are held.

    The database's CHECK constraint must be dropped too. A second passes between the read and the write, so that buyers
    overlap on a busy machine as well.
    """
    _read_early()
    statements.HOLD_CHECK_WITH_BACKORDERS = _without(
        _one_line(statements.HOLD_CHECK_WITH_BACKORDERS),
        " AND (l.units IS NULL OR coalesce(s.room, 0) >= d.quantity)",
        " AND (l.units IS NULL OR s.room >= sum(d.quantity) OVER line)",
    )
    statements.MOVE_STOCK = _without(
        _one_line(statements.MOVE_STOCK), " AND s.available - s.owed + m.change >= -s.backorder_limit"
    )


def slow_locks() -> None:
    """No guard removed: a moment passes between the locks of an order's variants, so that orders overlap."""
    check = _one_line(statements.HOLD_CHECK)
    start, end = check.index("SELECT v.variant_id, v.stock_quantity"), check.index("), levels AS")
    locked = f"SELECT l.* FROM ({check[start:end]}) l, LATERAL (SELECT pg_sleep(0.05), l.variant_id) s"
    statements.HOLD_CHECK = check[:start] + locked + check[end:]


def slow_locks_in_any_order() -> None:
    """The same, and the variants are locked in any order, not in that of their ids."""
    slow_locks()
    ordered = "ORDER BY v.variant_id FOR NO KEY UPDATE"
    _without(statements.HOLD_CHECK, ordered)
    statements.HOLD_CHECK = statements.HOLD_CHECK.replace(ordered, "ORDER BY random() FOR NO KEY UPDATE")


def _read_early() -> None:
    """A second passes after what was read for an order."""

    async def codes_read_early(ctx: Context, actor: Actor, request: PlaceOrder, quote: Quote) -> Codes:
        codes = await read_codes(ctx, actor, request, quote)
        await asyncio.sleep(1)
        return codes

    patch.object(opening, "read_codes", codes_read_early).start()


def each_claim_alone() -> None:
    """Check each checkout of a batch against all of the stock, as if no earlier one of the batch took any."""
    check = _one_line(statements.HOLD_CHECK)
    guards = (
        "sum(d.quantity) OVER (PARTITION BY d.variant_id, d.warehouse_id ORDER BY d.place)",
        "sum(d.quantity) OVER (PARTITION BY d.variant_id ORDER BY d.place)",
    )
    for guard in guards:
        _without(check, guard)
        check = check.replace(guard, "d.quantity")
    statements.HOLD_CHECK = check
    statements.MOVE_STOCK = _without(
        _one_line(statements.MOVE_STOCK), " AND s.available - s.owed + m.change >= -s.backorder_limit"
    )


def no_claim_on_the_cart() -> None:
    """Order a cart without claiming it: whoever read it first, and whatever changed since."""
    carts.CLAIM_CHECK = _without(
        _one_line(carts.CLAIM_CHECK),
        " AND c.claimed_by IS NULL",
        " AND c.version = w.version",
        " WHERE f.cart_id IS NULL OR f.turn = 1",
    )
    carts.CART_LINES = _one_line(carts.CART_LINES).replace("c.claimed_by", "NULL::uuid AS claimed_by")
    carts.TAKE = _without(_one_line(carts.TAKE), " AND c.claimed_by = o.gate_id")


def clock_off(minutes: int) -> Callable[[], None]:
    """No guard removed: the process runs on a machine whose clock is `minutes` ahead, or behind when negative."""

    def start() -> None:
        right, seconds = clock.now, time.time
        patch.object(clock, "now", lambda: right() + timedelta(minutes=minutes)).start()
        patch.object(time, "time", lambda: seconds() + minutes * 60).start()

    return start


def sessions_read_anew_soon() -> None:
    """No guard removed: what a process knows of an account is kept for a fifth of a second, not for five."""
    sessions.CACHE_SECONDS = 0.2


def expiry_by_the_process_clock() -> None:
    """Decide which reservations have expired by the clock of the process that asks."""
    released, asked = statements.release_due, "r.expires_at < now()"

    def by_process(batch: int) -> Part:
        part = released(batch)
        if asked not in part.ctes:
            raise ValueError(f"the statement does not ask Postgres for the time: {part.ctes}")
        ctes = part.ctes.replace(asked, "r.expires_at < CAST(:process_now AS timestamptz)")
        return replace(part, ctes=ctes, values={**part.values, "process_now": clock.now()})

    patch.object(statements, "release_due", by_process).start()


def _one_line(sql: str) -> str:
    """The SQL on one line, so that its layout does not matter."""
    return " ".join(sql.split())


def _without(sql: str, *guards: str) -> str:
    """`sql` with each guard removed. Raises ValueError when one is not in it: the mutant would be the product."""
    for guard in guards:
        if guard not in sql:
            raise ValueError(f"the statement has no guard {guard!r}: {sql}")
        sql = sql.replace(guard, "")
    return sql


def a_key_per_attempt() -> None:
    """Use a new gateway key for every attempt, so that each attempt is a separate purchase at the gateway."""

    async def capture(self: SandboxGateway, key: str, amount: Decimal) -> str:
        attempt = f"attempt-{uuid4()}"
        outcome = await self.authorise(attempt, amount, "USD", "pm_sandbox_ok", reference=key.removeprefix("checkout-"))
        if isinstance(outcome, Declined):
            raise GatewayRefused(outcome.reason)
        answer = await self.client.post(
            "/v1/captures", {"key": f"{attempt}:capture", "authorisationKey": attempt, "amount": str(amount)}
        )
        assert isinstance(outcome, Authorised)
        return str(answer.body["gatewayReference"])

    SandboxGateway.capture = capture  # type: ignore[method-assign]  # the mutation


def an_order_that_prices_by_itself() -> None:
    """The order is priced and promised for the shop's own market, whatever its address is."""
    _for_every_order(lambda priced: {**priced, "place": None})


def kits_of_rounded_parts() -> None:
    """Each unit of a kit costs its share, rounded by itself: together they cost a little more or less than the kit."""

    def rounded(price: Decimal, components: Sequence[Priced]) -> list[list[Priced]]:
        whole = sum(one.price * one.units for one in components)
        return [[one._replace(price=to_cents(price * one.price / whole))] for one in components]

    patch.object(offers, "apportioned", rounded).start()


def an_order_that_ignores_membership() -> None:
    """The order is priced and promised as for somebody who is no member."""
    _for_every_order(lambda priced: {**priced, "member": False})


def _for_every_order(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Price orders for another occasion than pages and carts are priced for."""

    class Changed:
        @staticmethod
        def of(settings: Settings, now: datetime, **priced: Any) -> Occasion:
            return Occasion.of(settings, now, **change(priced))

    patch.object(quote, "Occasion", Changed).start()


def one_page_for_members_and_others() -> None:
    """A product's page is kept under one name, whoever asks."""
    named = pages.product_page

    def product_page(product_id: UUID, half_hour: int, language: str, *, member: bool) -> PageKey:
        return named(product_id, half_hour, language, member=False)

    patch.object(pages, "product_page", product_page).start()


def one_page_for_all_languages() -> None:
    """A product's page is kept under one name, in whatever language it is."""
    named = pages.product_page

    def product_page(product_id: UUID, half_hour: int, language: str, *, member: bool) -> PageKey:
        key = named(product_id, half_hour, language, member=member)
        return replace(key, name=key.name.replace(f":{language}", ""))

    patch.object(pages, "product_page", product_page).start()


def no_lock_on_the_tree() -> None:
    """Change the category tree while others change it. A moment passes between what is checked and what is written."""

    async def unlocked(tx: Tx) -> None:
        pass

    checked = tree.place

    async def checked_early(*asked: Any) -> tuple[str, int]:
        placed = await checked(*asked)
        await asyncio.sleep(1)
        return placed

    patch.object(tree, "lock_tree", unlocked).start()
    patch.object(tree, "place", checked_early).start()


def stock_of_before_a_sale() -> None:
    """Set the stock that a save names, whatever was sold since it was read."""
    patch.object(change, "_require_stock", lambda *_: None).start()


def patches_of_whole_variants() -> None:
    """What a patch does not send of a variant gets its default."""
    made = matching._saved  # noqa: SLF001 - the guard is inside
    patch.object(matching, "_saved", lambda entry, old, **_: made(entry, old, whole=True)).start()


def prices_told_apart_by_numbers() -> None:
    """A variant whose own price is the product's has none of its own."""
    costing = matching.SavedVariant.costing

    def by_number(variant: matching.SavedVariant, price: Decimal) -> matching.SavedVariant:
        own = None if variant.own_price == price else variant.own_price
        return costing(replace(variant, own_price=own), price)

    patch.object(matching.SavedVariant, "costing", by_number).start()


def variants_that_stay() -> None:
    """What a PUT does not name is not removed."""
    planned = matching.plan_of

    def plan_of(*given: Any, **how: Any) -> matching.VariantPlan:
        return replace(planned(*given, **how), removed=[])

    patch.object(change, "plan_of", plan_of).start()


def saves_without_a_lock() -> None:
    """Read a product for a save without locking it. A moment passes between what is read and what is written."""
    read = change.lock_own

    async def read_early(*asked: Any) -> change.Current:
        current = await read(*asked)
        await asyncio.sleep(0.3)
        return current

    patch.object(change, "_LOCKED", change._OWN).start()  # noqa: SLF001 - the guard is inside
    patch.object(change, "lock_own", read_early).start()


def pictures_without_versions() -> None:
    """A change of pictures keeps no version."""

    async def nothing(*_: Any) -> list[UUID]:
        return []

    patch.object(pictures, "keep_versions", nothing).start()


def reports_without_a_lock() -> None:
    """Count somebody's reports without a lock. A moment passes between the count and the report."""
    counted = notices._require_patience  # noqa: SLF001 - the guard is inside

    async def count_early(*asked: Any) -> None:
        await counted(*asked)
        await asyncio.sleep(0.3)

    patch.object(notices, "_LOCK", select(bindparam("name", type_=String))).start()
    patch.object(notices, "_require_patience", count_early).start()


MUTANTS: dict[str, Callable[[], None]] = {
    "read then write": read_then_write,
    "each claim alone": each_claim_alone,
    "no limit of what is owed": no_limit_of_what_is_owed,
    "slow locks": slow_locks,
    "slow locks in any order": slow_locks_in_any_order,
    "a key per attempt": a_key_per_attempt,
    "no claim on the cart": no_claim_on_the_cart,
    "sessions read anew soon": sessions_read_anew_soon,
    "expiry by the process clock": expiry_by_the_process_clock,
    "clock ahead": clock_off(5),
    "clock behind": clock_off(-5),
    "an order that prices by itself": an_order_that_prices_by_itself,
    "kits of rounded parts": kits_of_rounded_parts,
    "an order that ignores membership": an_order_that_ignores_membership,
    "one page for members and others": one_page_for_members_and_others,
    "one page for all languages": one_page_for_all_languages,
    "no limit of redemptions": no_limit_of_redemptions,
    "no lock on the tree": no_lock_on_the_tree,
    "stock that was read before a sale": stock_of_before_a_sale,
    "a patch of whole variants": patches_of_whole_variants,
    "an own price that equals the product's": prices_told_apart_by_numbers,
    "variants that stay": variants_that_stay,
    "saves without a lock": saves_without_a_lock,
    "pictures without versions": pictures_without_versions,
    "reports without a lock": reports_without_a_lock,
    **OF_REVIEWS,
}

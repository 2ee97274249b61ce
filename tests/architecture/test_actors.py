"""Every public function on owned rows is scoped to an actor; functions without an actor are listed with a reason."""

import pytest

from tests.architecture.actors import PUBLIC, unscoped
from tests.architecture.source import owners, shop, with_file

WORKER = "the worker calls it; nobody asks"
LIVE = "shows what is on sale to everybody"
AFTER_LOCK = "the command that calls it has locked the row for its actor"
ADMIN = "its first line refuses everybody but administrators"
PARTNER = "a session is asked for by the name of its partner"
MAILED = "what it finds is told to nobody but the address of the order"
BEFORE_SIGN_IN = "there is no actor yet: it finds out who asks, by a secret"
# Functions that take no actor, or take one that does not reach the statement. An unneeded line fails the test.
ALLOWED = {
    ("api/agents/commands.py", "create"): PARTNER,
    ("api/agents/commands.py", "forget_expired"): WORKER,
    ("api/agents/commands.py", "retrieve"): PARTNER,
    ("api/agents/placing.py", "changed"): PARTNER,
    ("api/agents/placing.py", "reopened"): PARTNER,
    ("api/agents/placing.py", "settled"): PARTNER,
    ("api/agents/queries.py", "session_of"): PARTNER,
    ("api/bulk/commands.py", "forget_old"): WORKER,
    ("api/bulk/reading/chunks.py", "hold"): "whoever holds the lease goes on",
    ("api/catalog/approval/commands.py", "judge_verified"): WORKER,
    ("api/catalog/approval/judging.py", "leave_queue"): AFTER_LOCK,
    ("api/catalog/approval/judging.py", "settle"): AFTER_LOCK,
    ("api/catalog/approval/judging.py", "record"): AFTER_LOCK,
    ("api/catalog/approval/queries.py", "case_of"): AFTER_LOCK,
    ("api/catalog/approval/queries.py", "ruling_of"): ADMIN,
    ("api/catalog/approval/queries.py", "told_of"): WORKER,
    ("api/catalog/approval/queries.py", "waiting"): ADMIN,
    ("api/catalog/matches/queries.py", "matches"): ADMIN,
    ("api/catalog/matches/queries.py", "match_of"): ADMIN,
    ("api/catalog/offers/queries.py", "offers_of"): LIVE,
    ("api/catalog/offers/queries.py", "products_of"): WORKER,
    ("api/catalog/offers/queries.py", "shown_with"): WORKER,
    ("api/catalog/commands/images.py", "forget_awaited"): AFTER_LOCK,
    ("api/catalog/pictures/commands.py", "save_shown"): AFTER_LOCK,
    ("api/catalog/pictures/fetching.py", "seconds_left"): WORKER,
    ("api/catalog/queries/syndicated.py", "on_sale_after"): LIVE,
    ("api/identity/queries.py", "emails_of"): WORKER,
    ("api/identity/queries.py", "names_of"): WORKER,
    ("api/orders/commands/rows.py", "insert_returns"): AFTER_LOCK,
    ("api/orders/invoices/queries.py", "lock_orders"): WORKER,
    ("api/orders/invoices/queries.py", "lines_of"): WORKER,
    ("api/orders/invoices/queries.py", "written_for"): WORKER,
    ("api/orders/invoices/queries.py", "noted_causes"): WORKER,
    ("api/orders/invoices/queries.py", "paid_returns"): WORKER,
    ("api/orders/invoices/queries.py", "late_orders"): WORKER,
    ("api/orders/digital/commands.py", "deliver_due"): WORKER,
    ("api/orders/keys/commands.py", "give_keys"): AFTER_LOCK,
    ("api/orders/keys/queries.py", "has_keys"): AFTER_LOCK,
    ("api/orders/downloads/commands.py", "grant_downloads"): AFTER_LOCK,
    ("api/orders/downloads/commands.py", "delete_orphans"): WORKER,
    ("api/orders/downloads/commands.py", "download"): "who has the link that the order made may have the file",
    ("api/payments/queries.py", "refunds_of"): WORKER,
    ("api/payments/queries.py", "captured_of"): WORKER,
    ("api/orders/queries/guests.py", "guest_order_by_token"): BEFORE_SIGN_IN,
    ("api/mail/commands.py", "forget_old"): WORKER,
    ("api/orders/commands/claims.py", "forget_expired"): WORKER,
    ("api/orders/parcels/repair.py", "pack_lines"): WORKER,
    ("api/orders/backorders/commands.py", "tell_some"): WORKER,
    ("api/orders/backorders/queries.py", "waited_for"): WORKER,
    ("api/orders/backorders/queries.py", "queue_for"): WORKER,
    ("api/inventory/queries.py", "booked_in"): WORKER,
    ("api/orders/queries/guests.py", "guest_order_of"): BEFORE_SIGN_IN,
    ("api/orders/queries/guests.py", "confirmed_orders"): WORKER,
    ("api/orders/queries/guests.py", "claims_asked"): WORKER,
    ("api/orders/queries/guests.py", "look_ups_asked"): WORKER,
    ("api/orders/queries/told.py", "told_parcels"): WORKER,
    ("api/orders/queries/guests.py", "guest_order_by_number"): MAILED,
    ("api/orders/commands/claims.py", "ask_for_look_up"): MAILED,
    ("api/carts/commands.py", "merge_guest_cart"): BEFORE_SIGN_IN,
    ("api/carts/commands.py", "expire_carts"): WORKER,
    ("api/carts/coupons.py", "move_coupons"): AFTER_LOCK,
    ("api/catalog/commands/keeping.py", "keep_versions"): AFTER_LOCK,
    ("api/catalog/commands/keeping.py", "keep_first_versions"): AFTER_LOCK,
    ("api/catalog/schedules/queries.py", "due"): WORKER,
    ("api/catalog/schedules/queries.py", "seconds_left"): WORKER,
    ("api/catalog/schedules/queries.py", "set_for"): AFTER_LOCK,
    ("api/catalog/commands/images.py", "shown_by"): AFTER_LOCK,
    ("api/catalog/commands/images.py", "write_images"): AFTER_LOCK,
    ("api/catalog/pictures/queries.py", "images_shown"): AFTER_LOCK,
    ("api/media/commands.py", "show"): AFTER_LOCK,
    ("api/media/queries.py", "names_there"): "a picture is anybody's who has its content",
    ("api/media/queries.py", "held_names"): AFTER_LOCK,
    ("api/orders/keepers.py", "in_lines"): WORKER,
    ("api/catalog/commands/variants.py", "living_variants"): AFTER_LOCK,
    ("api/catalog/commands/variants.py", "remove_variants"): AFTER_LOCK,
    ("api/catalog/commands/sales.py", "set_units_sold"): WORKER,
    ("api/catalog/commands/views.py", "add_views"): WORKER,
    ("api/catalog/queries/index_feed.py", "changed_since"): WORKER,
    ("api/catalog/queries/index_feed.py", "rows_of"): WORKER,
    ("api/catalog/queries/index_feed.py", "all_live"): WORKER,
    ("api/catalog/queries/index_feed.py", "live_count"): WORKER,
    ("api/catalog/queries/index_feed.py", "descriptions_of"): LIVE,
    ("api/catalog/brands/keys.py", "spellings_of"): LIVE,
    ("api/catalog/queries/listing.py", "product_page"): LIVE,
    ("api/catalog/queries/counting.py", "count_in_database"): LIVE,
    ("api/catalog/queries/offers.py", "cards_of"): LIVE,
    ("api/catalog/queries/categories.py", "paths_of"): AFTER_LOCK,
    ("api/catalog/tree/queries.py", "products_in"): WORKER,
    ("api/catalog/tree/queries.py", "products_of_sellers"): WORKER,
    ("api/catalog/tree/queries.py", "products_of_small_sellers"): WORKER,
    ("api/catalog/tree/commands.py", "delete_category"): ADMIN,
    ("api/catalog/approval/queries.py", "labels_of"): AFTER_LOCK,
    ("api/storefront/questions/queries.py", "reports"): ADMIN,
    ("api/storefront/notices/queries.py", "report_of"): BEFORE_SIGN_IN,
    ("api/storefront/notices/queries.py", "reported"): ADMIN,
    ("api/storefront/notices/queries.py", "reports_of"): ADMIN,
    ("api/storefront/notices/queries.py", "seen_now"): ADMIN,
    ("api/storefront/notices/queries.py", "decision_about"): ADMIN,
    ("api/storefront/notices/queries.py", "outcome_of"): ADMIN,
    ("api/storefront/notices/queries.py", "contested_by"): ADMIN,
    ("api/storefront/notices/queries.py", "open_objections"): ADMIN,
    ("api/storefront/notices/queries.py", "reporters_of"): WORKER,
    ("api/storefront/notices/queries.py", "who_reported"): WORKER,
    ("api/reviews/commands.py", "lock"): AFTER_LOCK,
    ("api/identity/queries.py", "registered_at"): AFTER_LOCK,
    ("api/reviews/commands.py", "recount"): AFTER_LOCK,
    ("api/reviews/commands.py", "set_status"): AFTER_LOCK,
    ("api/reviews/judging/filing.py", "record"): AFTER_LOCK,
    ("api/reviews/judging/filing.py", "wait_for_administrator"): AFTER_LOCK,
    ("api/reviews/moderation/jobs.py", "read_languages"): WORKER,
    ("api/reviews/moderation/queries.py", "authors_of"): WORKER,
    ("api/reviews/moderation/queries.py", "ruling_of"): AFTER_LOCK,
    ("api/reviews/moderation/queries.py", "unanswered"): WORKER,
    ("api/reviews/moderation/queries.py", "verdicts_of"): WORKER,
    ("api/reviews/moderation/queries.py", "waiting"): ADMIN,
    ("api/reviews/votes/brigades.py", "release"): ADMIN,
    ("api/reviews/votes/brigades.py", "Brigades.set_aside"): WORKER,
    ("api/reviews/ratings/commands.py", "count_anew"): WORKER,
    ("api/reviews/ratings/commands.py", "rate_sellers"): WORKER,
    ("api/reviews/commands.py", "verify_deliveries"): WORKER,
    ("api/reviews/requests/commands.py", "note_deliveries"): WORKER,
    ("api/reviews/requests/commands.py", "unsubscribe"): BEFORE_SIGN_IN,
    ("api/reviews/requests/queries.py", "asked_by"): WORKER,
    ("api/catalog/ratings/commands.py", "set_ratings"): WORKER,
    ("api/orders/queries/bought.py", "delivered_in"): WORKER,
    ("api/orders/queries/bought.py", "delivered_lines"): WORKER,
    ("api/catalog/attributes/side_by_side.py", "cards_on_sale"): LIVE,
    ("api/catalog/attributes/side_by_side.py", "described"): LIVE,
    ("api/catalog/queries/offers.py", "sold_now"): LIVE,
    ("api/catalog/queries/offers.py", "kits_of"): LIVE,
    ("api/catalog/kits/counting.py", "kits_among"): WORKER,
    ("api/catalog/kits/counting.py", "count_kits"): WORKER,
    ("api/checkout/saga/lease.py", "take_over"): WORKER,
    ("api/checkout/edits/steps.py", "take"): "whoever holds the lease takes the step",
    ("api/orders/exchanges/commands.py", "taken_over"): WORKER,
    ("api/orders/exchanges/commands.py", "claim"): AFTER_LOCK,
    ("api/orders/exchanges/commands.py", "lock"): "an exchange is ended by what became of its order, whoever asks",
    ("api/orders/exchanges/commands.py", "release"): AFTER_LOCK,
    ("api/orders/exchanges/commands.py", "complete"): AFTER_LOCK,
    ("api/orders/exchanges/commands.py", "forget"): AFTER_LOCK,
    ("api/orders/edits/leases.py", "taken_over"): WORKER,
    ("api/orders/edits/leases.py", "forget_expired"): WORKER,
    ("api/orders/edits/apply.py", "apply_edit"): AFTER_LOCK,
    ("api/promotions/queries.py", "pays_fee_of"): AFTER_LOCK,
    ("api/orders/edits/queries.py", "lines_left"): WORKER,
    ("api/identity/commands.py", "register"): BEFORE_SIGN_IN,
    ("api/identity/commands.py", "login"): BEFORE_SIGN_IN,
    ("api/identity/provision.py", "account_with"): "the operator makes accounts",
    ("api/identity/queries.py", "credentials_of"): BEFORE_SIGN_IN,
    ("api/identity/queries.py", "live_account"): BEFORE_SIGN_IN,
    ("api/identity/tokens.py", "refresh"): BEFORE_SIGN_IN,
    ("api/identity/tokens.py", "logout"): BEFORE_SIGN_IN,
    ("api/identity/tokens.py", "revoke_all"): AFTER_LOCK,
    ("api/identity/tokens.py", "forget_expired"): WORKER,
    ("api/inventory/commands.py", "release_expired"): WORKER,
    ("api/inventory/queries.py", "variants_held_for"): WORKER,
    ("api/inventory/booking.py", "book"): AFTER_LOCK,
    ("api/inventory/booking.py", "open_level"): AFTER_LOCK,
    ("api/inventory/stocktake.py", "set_stock"): AFTER_LOCK,
    ("api/inventory/stocktake.py", "set_counted"): WORKER,
    ("api/inventory/stocktake.py", "change_stock"): AFTER_LOCK,
    ("api/orders/parcels/queries.py", "parcels_of"): AFTER_LOCK,
    ("api/inventory/booking.py", "expect"): AFTER_LOCK,
    ("api/inventory/booking.py", "place_of"): AFTER_LOCK,
    ("api/inventory/queries.py", "own_replenishment"): "own_variant refuses everybody else",
    ("api/inventory/queries.py", "version_of"): AFTER_LOCK,
    ("api/catalog/queries/weights.py", "grams_of"): AFTER_LOCK,
    ("api/orders/parcels/moving.py", "lose_parcel"): AFTER_LOCK,
    ("api/orders/tracking/commands/scans.py", "take_scans"): "the carrier has signed it",
    ("api/orders/labels/queries.py", "label_of"): AFTER_LOCK,
    ("api/orders/labels/queries.py", "open_labels"): WORKER,
    ("api/orders/labels/queries.py", "grams_in"): AFTER_LOCK,
    ("api/orders/labels/voiding.py", "void_label"): AFTER_LOCK,
    ("api/orders/labels/voiding.py", "require_no_asked_label"): AFTER_LOCK,
    ("api/orders/labels/returning/queries.py", "returns_due"): WORKER,
    ("api/orders/labels/returning/queries.py", "returning_of"): WORKER,
    ("api/orders/labels/returning/queries.py", "return_by_link"): "whoever has the mailed link prints the label",
    ("api/orders/tracking/queries.py", "tracking_by_link"): "whoever has the link sees where the parcel is",
    ("api/orders/tracking/queries.py", "carried"): WORKER,
    ("api/orders/tracking/queries.py", "scans_of"): WORKER,
    ("api/orders/tracking/queries.py", "due_labels"): WORKER,
    ("api/orders/tracking/queries.py", "silent_labels"): WORKER,
    ("api/catalog/safety/commands.py", "write_safety"): AFTER_LOCK,
    ("api/orders/queries/locked.py", "lines_of"): AFTER_LOCK,
    ("api/orders/queries/locked.py", "requested_returns_of"): AFTER_LOCK,
    ("api/orders/queries/locked.py", "awaits_refunds"): AFTER_LOCK,
    ("api/orders/queries/locked.py", "sent_to"): AFTER_LOCK,
    ("api/orders/popularity.py", "units_sold"): "sums over all orders name nobody",
    ("api/orders/popularity.py", "units_sold_in_category_of"): "sums over all orders name nobody",
    ("api/payments/commands.py", "lock_payment"): AFTER_LOCK,
    ("api/promotions/commands.py", "release_parts"): AFTER_LOCK,
    ("api/payments/commands.py", "lock_balance"): WORKER,
}
# From api/orders/queries.py and api/analytics/live_sales.py.
ORDER = '''
from sqlalchemy import select, text
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import ReadTx, Tx
from api.orders.models import Order
from api.orders import queries

_LATEST_RETURNS = text(
    """
    SELECT r.created_at, r.quantity, o.order_number
    FROM returns r JOIN orders o USING (order_id)
    WHERE r.seller_id = :seller ORDER BY r.created_at DESC LIMIT :limit
    """
)
'''
TEXT = """
async def latest_returns(tx: ReadTx, actor: Actor, limit: int) -> list[Return]:
    values = {"seller": actor.user_id, "limit": limit}
    return await tx.all_as(Return, _LATEST_RETURNS, values)
"""
CORE = """
async def order_of(tx: ReadTx, actor: Actor, order_id: UUID) -> OrderBody:
    statement = select(Order.order_id, Order.status).where(Order.order_id == order_id)
    row = await tx.first_as(OrderRow, statement.where(_may_see(actor)))
    if row is None:
        raise OrderNotFound
    return _body(row)
"""
BATCH = """
async def two_of(tx: ReadTx, actor: Actor, order_id: UUID) -> tuple[OrderBody | None, Categories]:
    own = {"order_id": order_id, "buyer": actor.user_id}
    return await tx.batch(first_as(OrderRow, select(Order.status), own), all_as(Category, select(Category.name)))
"""
GUARDED = """
async def orders_of(tx: ReadTx, actor: Actor, user_id: UUID) -> list[OrderSummary]:
    if user_id != actor.user_id and actor.kind != "admin":
        raise OrderNotFound
    return await tx.all_as(OrderSummary, select(Order.order_id).where(Order.user_id == user_id))
"""
COMMAND = """
async def cancel(ctx: Context, actor: Actor, order_id: UUID) -> None:
    async def work(tx: Tx) -> None:
        order = await queries.lock_order(tx, actor, order_id)
        await tx.execute(update(Order).where(Order.order_id == order.order_id).values(status="cancelled"))

    await ctx.db.run(work)
"""


@pytest.mark.parametrize("file", ["api/orders/queries.py", "api/analytics/example.py", "api/orders/statements.py"])
@pytest.mark.parametrize(
    ("text", "with_actor", "without", "function"),
    [
        (TEXT, "actor.user_id", "seller_id", "latest_returns"),
        (TEXT, "_LATEST_RETURNS, values", "_LATEST_RETURNS, {'limit': limit}", "latest_returns"),
        (TEXT, "actor: Actor, limit", "seller: UUID, limit", "latest_returns"),
        (CORE, ".where(_may_see(actor))", "", "order_of"),
        (CORE, "_may_see(actor)", "Order.status != 'pending'", "order_of"),
        (BATCH, "select(Order.status), own", "select(Order.status), {'order_id': order_id}", "two_of"),
        (GUARDED, "Order.user_id == user_id", "Order.status == 'paid'", "orders_of"),
        (GUARDED, "        raise OrderNotFound", "        log.info('not the buyer')", "orders_of"),
        (COMMAND, "queries.lock_order(tx, actor, order_id)", "read_order(order_id)", "cancel"),
    ],
)
def test_a_query_that_drops_its_actor_is_seen(
    file: str, text: str, with_actor: str, without: str, function: str
) -> None:
    assert with_actor in text
    assert {name for path, name in unscoped(with_file(file, ORDER + text)) if path == file} == set()
    dropped = text.replace(with_actor, without)
    assert {name for path, name in unscoped(with_file(file, ORDER + dropped)) if path == file} == {function}


def test_owned_rows_are_asked_for_by_an_actor() -> None:
    found = set(unscoped(shop()))
    assert found - set(ALLOWED) == set(), "let an actor reach the statement, or name the reason in ALLOWED"
    assert set(ALLOWED) - found == set(), "these lines of ALLOWED are not needed any more"


def test_public_tables_exist() -> None:
    assert set(owners()) >= PUBLIC

"""The SQL of carts as parts of larger statements: additions to carts, and for a checkout the lines of a cart, the claim
on it, and taking off it what was ordered.

`tests/integration/api/inventory/test_inventory.py` counts the statements of a checkout: the lines are read in the round
trip of the offers, the cart is claimed in the first commit of an order, and what was ordered leaves it in the last.
`tests/integration/api/test_round_trips.py` counts those of an addition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from api.kernel.actor import Actor
from api.kernel.ids import new_id
from api.kernel.statement import Part

# The cart of each addition, or the id of the one to make. An expired cart that is not deleted yet is used again. Each
# cart is looked up by itself, here and in _ADD: a join may be one with all carts, because its plan is kept from when
# they were few.
_ADDITIONS = """asked AS MATERIALIZED (
    SELECT a.place, a.user_id, a.session_id, a.seconds, a.product_id, a.variant_id, a.quantity, a.cart_item_id,
           coalesce((SELECT m.cart_id FROM carts m WHERE m.user_id = a.user_id),
                    (SELECT g.cart_id FROM carts g WHERE g.session_id = a.session_id), a.new_cart) AS cart_id
    FROM unnest(CAST(:add_users AS uuid[]), CAST(:add_sessions AS text[]), CAST(:add_seconds AS int[]),
                CAST(:add_products AS uuid[]), CAST(:add_variants AS uuid[]), CAST(:add_quantities AS int[]),
                CAST(:add_carts AS uuid[]), CAST(:add_lines AS uuid[])) WITH ORDINALITY
         AS a(user_id, session_id, seconds, product_id, variant_id, quantity, new_cart, cart_item_id, place))"""
# The carts are locked before, so what is judged here is so until the commit. The time at which a cart expires is
# rounded up to the hour: most additions leave it as it is, and with it every index of the cart. More units of a line
# show a change of its price again.
_ADD = """judged AS MATERIALIZED (
    SELECT a.*, s.price,
           CASE WHEN s.place IS NULL THEN 'not on sale'
                WHEN has.quantity + a.quantity > :add_most_units THEN 'too many'
                WHEN has.quantity IS NULL AND has.lines >= :add_most_lines THEN 'full'
                ELSE 'added' END AS verdict
    FROM asked a
    LEFT JOIN on_sale s USING (place),
    LATERAL (SELECT count(*) AS lines, max(i.quantity) FILTER (WHERE i.variant_id = a.variant_id) AS quantity
             FROM cart_items i WHERE i.cart_id = a.cart_id) has),
opened AS (
    INSERT INTO carts (cart_id, user_id, session_id, expires_at)
    SELECT cart_id, user_id, session_id,
           date_trunc('hour', now() + make_interval(secs => seconds)) + interval '1 hour'
    FROM judged WHERE verdict = 'added'
    ON CONFLICT (cart_id) DO UPDATE
    SET version = carts.version + 1, updated_at = now(), expires_at = excluded.expires_at
    RETURNING cart_id),
lines_added AS (
    INSERT INTO cart_items (cart_item_id, cart_id, product_id, variant_id, quantity, price_at_addition)
    SELECT cart_item_id, cart_id, product_id, variant_id, quantity, price FROM judged WHERE verdict = 'added'
    ON CONFLICT (cart_id, variant_id) DO UPDATE
    SET quantity = cart_items.quantity + excluded.quantity, price_seen = NULL, updated_at = now()
    WHERE cart_items.quantity + excluded.quantity <= :add_most_units
    RETURNING cart_item_id, cart_id)"""
# What became of each addition of a batch, in their order.
ADDED = """j.verdict, j.cart_id, n.cart_item_id
    FROM judged j LEFT JOIN lines_added n USING (cart_id) ORDER BY j.place"""

CART_LINES = """wanted_carts AS MATERIALIZED (
    SELECT o.request, c.cart_id, c.version, c.claimed_by, c.ordered_by, c.ordered_version, c.coupons
    FROM unnest(CAST(:cart_users AS uuid[])) WITH ORDINALITY AS o(user_id, request)
    JOIN carts c ON c.user_id = o.user_id WHERE c.expires_at > now()
    UNION ALL
    SELECT o.request, c.cart_id, c.version, c.claimed_by, c.ordered_by, c.ordered_version, c.coupons
    FROM unnest(CAST(:cart_sessions AS text[])) WITH ORDINALITY AS o(session_id, request)
    JOIN carts c ON c.session_id = o.session_id WHERE c.expires_at > now()),
wanted AS MATERIALIZED (
    SELECT c.request, i.product_id, i.variant_id, i.quantity, i.cart_item_id,
           row_number() OVER (PARTITION BY c.request ORDER BY i.variant_id) AS place
    FROM wanted_carts c JOIN cart_items i USING (cart_id))"""
# A checkout claims the cart that it orders, at the version that it has read. Of several in one batch the first has it.
# The carts are locked after the stock (`in_stock`), in the same order everywhere.
CLAIM_CHECK = """carts_wanted AS MATERIALIZED (
    SELECT w.checkout_id, w.cart_id, w.version, w.place
    FROM unnest(CAST(:claim_checkouts AS uuid[]), CAST(:claim_carts AS uuid[]), CAST(:claim_versions AS int[]))
         WITH ORDINALITY AS w(checkout_id, cart_id, version, place)
    JOIN in_stock USING (checkout_id)),
carts_free AS MATERIALIZED (
    SELECT c.cart_id, c.version FROM carts c
    WHERE c.cart_id IN (SELECT w.cart_id FROM carts_wanted w) AND c.claimed_by IS NULL
    ORDER BY c.cart_id FOR NO KEY UPDATE OF c),
feasible AS MATERIALIZED (
    SELECT f.checkout_id
    FROM (SELECT w.checkout_id, w.cart_id, row_number() OVER (PARTITION BY w.cart_id ORDER BY w.place) AS turn
          FROM carts_wanted w LEFT JOIN carts_free c ON c.cart_id = w.cart_id AND c.version = w.version
          WHERE w.cart_id IS NULL OR c.cart_id IS NOT NULL) f
    WHERE f.cart_id IS NULL OR f.turn = 1)"""
_CLAIM = """carts_claimed AS (
    UPDATE carts c SET claimed_by = w.checkout_id, updated_at = now()
    FROM carts_wanted w JOIN gate USING (checkout_id)
    WHERE c.cart_id = w.cart_id RETURNING 1)"""
_RELEASE = """carts_released AS (
    UPDATE carts c SET claimed_by = NULL, updated_at = now() FROM gate
    WHERE c.cart_id = :release_cart AND c.claimed_by = gate.checkout_id RETURNING 1)"""
# What was ordered is taken off the lines that are still there, and what was added meanwhile stays: a line is known by
# its id, so one that was removed and added again is another line. The quantities are those of the locked rows. The
# codes go when they are still those that were ordered with.
TAKE = """carts_taken AS MATERIALIZED (
    SELECT c.cart_id, gate.order_id, o.coupons
    FROM unnest(CAST(:take_gates AS uuid[]), CAST(:take_carts AS uuid[]), CAST(:take_coupons AS text[]))
         AS o(gate_id, cart_id, coupons)
    JOIN gate ON gate.checkout_id = o.gate_id JOIN carts c ON c.cart_id = o.cart_id AND c.claimed_by = o.gate_id
    ORDER BY c.cart_id FOR NO KEY UPDATE OF c),
lines_taken AS MATERIALIZED (
    SELECT i.cart_item_id, i.quantity - o.quantity AS remaining
    FROM unnest(CAST(:take_lines AS uuid[]), CAST(:take_quantities AS int[])) AS o(cart_item_id, quantity)
    JOIN cart_items i USING (cart_item_id) JOIN carts_taken t USING (cart_id)
    ORDER BY i.cart_item_id FOR NO KEY UPDATE OF i)"""
# The same for a checkout that an earlier version of the shop began: it has claimed no cart and knows no lines.
_TAKE_UNCLAIMED = """carts_taken AS MATERIALIZED (
    SELECT c.cart_id, gate.order_id, NULL::text AS coupons FROM gate, carts c
    WHERE c.user_id = CAST(:take_user AS uuid) OR c.session_id = CAST(:take_session AS text)
    FOR NO KEY UPDATE OF c),
lines_taken AS MATERIALIZED (
    SELECT i.cart_item_id, i.quantity - o.quantity AS remaining
    FROM unnest(CAST(:take_variants AS uuid[]), CAST(:take_quantities AS int[])) AS o(variant_id, quantity)
    JOIN cart_items i USING (variant_id) JOIN carts_taken t USING (cart_id)
    ORDER BY i.cart_item_id FOR NO KEY UPDATE OF i)"""
_TAKEN = """lines_left AS (
    MERGE INTO cart_items i USING lines_taken t ON i.cart_item_id = t.cart_item_id
    WHEN MATCHED AND t.remaining <= 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET quantity = t.remaining, updated_at = now()
    RETURNING 1),
carts_ordered AS (
    UPDATE carts c
    SET version = c.version + 1, claimed_by = nullif(c.claimed_by, gate.checkout_id), ordered_by = t.order_id,
        ordered_version = c.version + 1, coupons = nullif(c.coupons, t.coupons), updated_at = now()
    FROM carts_taken t JOIN gate USING (order_id) WHERE c.cart_id = t.cart_id RETURNING 1)"""
# What outbox.FIRST_EVENTS publishes of carts that expired with something in them: `abandoned`, for a reminder.
_EXPIRE = """due AS MATERIALIZED (
    SELECT c.cart_id, c.user_id FROM carts c WHERE c.expires_at <= now() AND c.claimed_by IS NULL
    ORDER BY c.expires_at LIMIT :expire_batch FOR UPDATE SKIP LOCKED),
happened AS MATERIALIZED (
    SELECT 'cart' AS aggregate_type, d.cart_id AS aggregate_id, 'CartAbandoned' AS event_type,
           jsonb_build_object('cartId', d.cart_id, 'userId', d.user_id, 'items', jsonb_agg(jsonb_build_object(
               'productId', i.product_id, 'variantId', i.variant_id, 'quantity', i.quantity) ORDER BY i.cart_item_id))
               AS payload
    FROM due d JOIN cart_items i USING (cart_id) GROUP BY d.cart_id, d.user_id),
expired AS (
    DELETE FROM carts c USING due d WHERE c.cart_id = d.cart_id RETURNING 1)"""
# How many carts the statement composed with `expire_part` deleted.
EXPIRED = "(SELECT count(*) FROM expired) AS expired"
# The same after the codes of the batch were checked (`api/promotions/statements.py`).
CLAIM_CHECK_AFTER_CODES = CLAIM_CHECK.replace("JOIN in_stock", "JOIN redeemable")
_TAKEN_MAKES = ("lines_left", "carts_ordered")


@dataclass(frozen=True, slots=True)
class Claim:
    """The cart that a checkout orders, as it has read it; None for one that orders no cart."""

    checkout_id: UUID
    cart_id: UUID | None
    version: int | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What the checkout that the gate names has ordered from the cart that it claimed: (line, units), and the cart's
    codes."""

    gate_id: UUID
    cart_id: UUID
    lines: Sequence[tuple[UUID, int]]
    coupons: str | None = None


@dataclass(frozen=True, slots=True)
class Addition:
    """Units of a variant for the actor's cart. A new cart expires after `seconds`, an old one as long from now."""

    actor: Actor
    seconds: int
    product_id: UUID
    variant_id: UUID
    quantity: int
    new_cart: UUID = field(default_factory=new_id)
    cart_item_id: UUID = field(default_factory=new_id)


def asked_part(additions: Sequence[Addition]) -> Part:
    """The additions, at most one for a cart."""
    return Part(
        _ADDITIONS,
        {
            "add_users": [addition.actor.user_id for addition in additions],
            "add_sessions": [session_of(addition.actor) for addition in additions],
            "add_seconds": [addition.seconds for addition in additions],
            "add_products": [addition.product_id for addition in additions],
            "add_variants": [addition.variant_id for addition in additions],
            "add_quantities": [addition.quantity for addition in additions],
            "add_carts": [addition.new_cart for addition in additions],
            "add_lines": [addition.cart_item_id for addition in additions],
        },
        makes=("asked",),
    )


def add_part(most_units: int, most_lines: int) -> Part:
    """Add to the carts what is on sale and fits; nothing changes for the others. The carts must be locked."""
    return Part(
        _ADD,
        {"add_most_units": most_units, "add_most_lines": most_lines},
        makes=("judged", "opened", "lines_added"),
        needs=("asked", "on_sale"),
        writes=frozenset({"carts", "cart_items"}),
    )


def lines_part(actors: Sequence[Actor]) -> Part:
    """The actors' unexpired carts and their lines, none without a cart: the CTEs `wanted_carts` and `wanted`, lines in
    variant id order, with the place of their actor, 1 for the first."""
    return Part(
        CART_LINES,
        {
            "cart_users": [actor.user_id for actor in actors],
            "cart_sessions": [session_of(actor) for actor in actors],
        },
        makes=("wanted_carts", "wanted"),
    )


def claim_check(claims: Sequence[Claim]) -> Part:
    """Lock the carts, and narrow the CTE `in_stock` to `feasible`: the checkouts whose cart has the version that they
    read and is claimed by nobody, and those that order no cart."""
    return Part(CLAIM_CHECK, _claims(claims), makes=("carts_wanted", "carts_free", "feasible"), needs=("in_stock",))


def claim_check_after_codes(claims: Sequence[Claim]) -> Part:
    """The same of a batch in which codes are redeemed: it narrows the CTE `redeemable`."""
    return Part(
        CLAIM_CHECK_AFTER_CODES,
        _claims(claims),
        makes=("carts_wanted", "carts_free", "feasible"),
        needs=("redeemable",),
    )


def _claims(claims: Sequence[Claim]) -> dict[str, object]:
    return {
        "claim_checkouts": [claim.checkout_id for claim in claims],
        "claim_carts": [claim.cart_id for claim in claims],
        "claim_versions": [claim.version for claim in claims],
    }


CLAIM = Part(_CLAIM, makes=("carts_claimed",), needs=("carts_wanted", "gate"), writes=frozenset({"carts"}))


def release_part(cart_id: UUID) -> Part:
    """Give up the claim on the cart; its lines and its version are as they were."""
    return Part(
        _RELEASE, {"release_cart": cart_id}, makes=("carts_released",), needs=("gate",), writes=frozenset({"carts"})
    )


def take_part(carts: Sequence[Taken]) -> Part:
    """Take what was ordered off the carts, and give up the claims on them."""
    lines = [line for cart in carts for line in cart.lines]
    return Part(
        f"{TAKE}, {_TAKEN}",
        {
            "take_gates": [cart.gate_id for cart in carts],
            "take_carts": [cart.cart_id for cart in carts],
            "take_coupons": [cart.coupons for cart in carts],
            "take_lines": [cart_item_id for cart_item_id, _ in lines],
            "take_quantities": [quantity for _, quantity in lines],
        },
        makes=("carts_taken", "lines_taken", *_TAKEN_MAKES),
        needs=("gate",),
        writes=frozenset({"carts", "cart_items"}),
    )


def take_unclaimed_part(actor: Actor, units: Mapping[UUID, int]) -> Part:
    """Take the ordered units of each variant off the actor's cart, if there is one. The gate has one row."""
    return Part(
        f"{_TAKE_UNCLAIMED}, {_TAKEN}",
        {
            "take_user": actor.user_id,
            "take_session": session_of(actor),
            "take_variants": list(units),
            "take_quantities": list(units.values()),
        },
        makes=("carts_taken", "lines_taken", *_TAKEN_MAKES),
        needs=("gate",),
        writes=frozenset({"carts", "cart_items"}),
    )


def expire_part(batch: int) -> Part:
    """Delete at most `batch` expired carts with their lines; CTE `happened` has those that had lines."""
    return Part(
        _EXPIRE,
        {"expire_batch": batch},
        makes=("due", "happened", "expired"),
        writes=frozenset({"carts"}),
    )


def session_of(actor: Actor) -> str | None:
    """A member's cart is found by user, even when the request names a session as well."""
    return None if actor.signed_in else actor.session_id

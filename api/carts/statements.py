"""The SQL of carts as parts of larger statements: additions to carts, and for a checkout the lines of a cart and the
emptying of the cart that was ordered.

`tests/integration/api/inventory/test_inventory.py` counts the statements of a checkout: the lines are read in the round
trip of the offers, and the cart is emptied in the last commit of an order. `tests/integration/api/test_round_trips.py`
counts those of an addition.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from api.kernel.actor import Actor
from api.kernel.ids import new_id
from api.kernel.statement import Part

# The cart of each addition, or the id of the one to make. An expired cart that is not deleted yet is used again.
_ADDITIONS = """asked AS MATERIALIZED (
    SELECT a.place, a.user_id, a.session_id, a.seconds, a.product_id, a.variant_id, a.quantity, a.cart_item_id,
           coalesce(m.cart_id, g.cart_id, a.new_cart) AS cart_id
    FROM unnest(CAST(:add_users AS uuid[]), CAST(:add_sessions AS text[]), CAST(:add_seconds AS int[]),
                CAST(:add_products AS uuid[]), CAST(:add_variants AS uuid[]), CAST(:add_quantities AS int[]),
                CAST(:add_carts AS uuid[]), CAST(:add_lines AS uuid[])) WITH ORDINALITY
         AS a(user_id, session_id, seconds, product_id, variant_id, quantity, new_cart, cart_item_id, place)
    LEFT JOIN carts m ON m.user_id = a.user_id
    LEFT JOIN carts g ON g.session_id = a.session_id)"""
# The carts are locked before, so what is judged here is so until the commit. The time at which a cart expires is
# rounded up to the hour: most additions leave it as it is, and with it every index of the cart.
_ADD = """judged AS MATERIALIZED (
    SELECT a.*, s.price,
           CASE WHEN s.place IS NULL THEN 'not on sale'
                WHEN i.quantity + a.quantity > :add_most_units THEN 'too many'
                WHEN i.quantity IS NULL
                     AND (SELECT count(*) FROM cart_items l WHERE l.cart_id = a.cart_id) >= :add_most_lines THEN 'full'
                ELSE 'added' END AS verdict
    FROM asked a
    LEFT JOIN on_sale s USING (place)
    LEFT JOIN cart_items i ON i.cart_id = a.cart_id AND i.variant_id = a.variant_id),
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
    SET quantity = cart_items.quantity + excluded.quantity, price_at_addition = excluded.price_at_addition,
        updated_at = now()
    WHERE cart_items.quantity + excluded.quantity <= :add_most_units
    RETURNING cart_item_id, cart_id)"""
# What became of each addition of a batch, in their order.
ADDED = """j.verdict, j.cart_id, n.cart_item_id
    FROM judged j LEFT JOIN lines_added n USING (cart_id) ORDER BY j.place"""

_LINES = """wanted_carts AS MATERIALIZED (
    SELECT o.request, c.cart_id
    FROM unnest(CAST(:cart_users AS uuid[])) WITH ORDINALITY AS o(user_id, request)
    JOIN carts c ON c.user_id = o.user_id WHERE c.expires_at > now()
    UNION ALL
    SELECT o.request, c.cart_id
    FROM unnest(CAST(:cart_sessions AS text[])) WITH ORDINALITY AS o(session_id, request)
    JOIN carts c ON c.session_id = o.session_id WHERE c.expires_at > now()),
wanted AS MATERIALIZED (
    SELECT c.request, i.product_id, i.variant_id, i.quantity,
           row_number() OVER (PARTITION BY c.request ORDER BY i.variant_id) AS place
    FROM wanted_carts c JOIN cart_items i USING (cart_id))"""
_EMPTY = """carts_ordered AS MATERIALIZED (
    SELECT c.cart_id
    FROM unnest(CAST(:cart_gates AS uuid[]), CAST(:cart_users AS uuid[])) AS o(gate_id, user_id)
    JOIN gate ON gate.checkout_id = o.gate_id JOIN carts c ON c.user_id = o.user_id
    UNION ALL
    SELECT c.cart_id
    FROM unnest(CAST(:cart_gates AS uuid[]), CAST(:cart_sessions AS text[])) AS o(gate_id, session_id)
    JOIN gate ON gate.checkout_id = o.gate_id JOIN carts c ON c.session_id = o.session_id),
emptied AS (
    UPDATE carts SET version = version + 1, updated_at = now()
    WHERE cart_id IN (SELECT cart_id FROM carts_ordered) RETURNING cart_id),
emptied_lines AS (DELETE FROM cart_items WHERE cart_id IN (SELECT cart_id FROM emptied) RETURNING 1)"""


@dataclass(frozen=True, slots=True)
class OrderedCart:
    """The cart of an actor, ordered by the checkout that the gate names."""

    gate_id: UUID
    actor: Actor


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
    """The lines of the actors' unexpired carts, none without a cart: CTE `wanted` has them in variant id order, with
    the place of their actor, 1 for the first."""
    return Part(
        _LINES,
        {
            "cart_users": [actor.user_id for actor in actors],
            "cart_sessions": [session_of(actor) for actor in actors],
        },
        makes=("wanted_carts", "wanted"),
    )


def empty_part(carts: Sequence[OrderedCart]) -> Part:
    """Remove all lines of the carts, after they were ordered. Does nothing for an actor without a cart."""
    return Part(
        _EMPTY,
        {
            "cart_gates": [cart.gate_id for cart in carts],
            "cart_users": [cart.actor.user_id for cart in carts],
            "cart_sessions": [session_of(cart.actor) for cart in carts],
        },
        makes=("carts_ordered", "emptied", "emptied_lines"),
        needs=("gate",),
        writes=frozenset({"carts", "cart_items"}),
    )


def session_of(actor: Actor) -> str | None:
    """A member's cart is found by user, even when the request names a session as well."""
    return None if actor.signed_in else actor.session_id

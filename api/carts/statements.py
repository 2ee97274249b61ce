"""The SQL of carts as parts of the statements of a checkout: read the lines, and empty the cart that was ordered.

`tests/integration/api/inventory/test_inventory.py` counts these statements: the lines are read in the round trip of the
offers, and the cart is emptied in the last commit of an order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from api.kernel.actor import Actor
from api.kernel.statement import Part

_LINES = """wanted AS MATERIALIZED (
    SELECT i.product_id, i.variant_id, i.quantity, row_number() OVER (ORDER BY i.variant_id) AS place
    FROM carts c JOIN cart_items i USING (cart_id)
    WHERE c.expires_at > now()
      AND c.cart_id IN (SELECT cart_id FROM carts WHERE user_id = CAST(:cart_user AS uuid)
                        UNION ALL SELECT cart_id FROM carts WHERE session_id = CAST(:cart_session AS text)))"""
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


def lines_part(actor: Actor) -> Part:
    """The lines of the actor's unexpired cart, in variant id order; none without a cart."""
    return Part(_LINES, {"cart_user": actor.user_id, "cart_session": _session(actor)}, makes=("wanted",))


def empty_part(carts: Sequence[OrderedCart]) -> Part:
    """Remove all lines of the carts, after they were ordered. Does nothing for an actor without a cart."""
    return Part(
        _EMPTY,
        {
            "cart_gates": [cart.gate_id for cart in carts],
            "cart_users": [cart.actor.user_id for cart in carts],
            "cart_sessions": [_session(cart.actor) for cart in carts],
        },
        makes=("carts_ordered", "emptied", "emptied_lines"),
        needs=("gate",),
        writes=frozenset({"carts", "cart_items"}),
    )


def _session(actor: Actor) -> str | None:
    """A member's cart is found by user, even when the request names a session as well."""
    return None if actor.signed_in else actor.session_id

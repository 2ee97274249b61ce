"""The SQL of the checkout: the insert of its row, the gate that checks the lease, and the offers of a quote.

`tests/integration/api/inventory/test_inventory.py` counts these statements: each is one round trip of placing an order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from api.catalog.statements import sellable, titles
from api.checkout.schemas import OrderLine, Plan
from api.inventory.statements import ROOMS
from api.kernel.actor import Actor
from api.kernel.errors import Problem
from api.kernel.statement import Part
from api.media.naming import PREFIX, THUMBNAIL_SIZE

_OPEN = """gate AS (
    INSERT INTO checkouts (checkout_id, actor_key, user_id, session_id, idempotency_key, recovery_point, request, plan,
                           order_id, lease_token, lease_expires_at)
    SELECT c.checkout_id, c.actor_key, c.user_id, c.session_id, c.idempotency_key, 'created',
           CAST(c.request AS jsonb), CAST(c.plan AS jsonb), c.order_id, c.lease_token,
           now() + make_interval(secs => :open_lease)
    FROM unnest(CAST(:gate_checkouts AS uuid[]), CAST(:open_actors AS text[]), CAST(:open_users AS uuid[]),
                CAST(:open_sessions AS text[]), CAST(:open_keys AS text[]), CAST(:open_requests AS text[]),
                CAST(:open_plans AS text[]), CAST(:open_orders AS uuid[]), CAST(:gate_tokens AS uuid[]))
         AS c(checkout_id, actor_key, user_id, session_id, idempotency_key, request, plan, order_id, lease_token)
    JOIN claimed USING (checkout_id) RETURNING checkout_id, order_id)"""
_GATE = """gate AS (
    UPDATE checkouts c
    SET recovery_point = :gate_next, failure = coalesce(CAST(m.failure AS jsonb), c.failure),
        lease_expires_at = now() + make_interval(secs => m.lease), updated_at = now()
    FROM unnest(CAST(:gate_checkouts AS uuid[]), CAST(:gate_tokens AS uuid[]), CAST(:gate_leases AS float8[]),
                CAST(:gate_failures AS text[])) AS m(checkout_id, token, lease, failure)
    JOIN feasible USING (checkout_id)
    WHERE c.checkout_id = m.checkout_id AND c.lease_token = m.token AND c.recovery_point = :gate_now
    RETURNING c.checkout_id, c.order_id)"""
# The point is a literal, so that the index of the open checkouts serves it.
_HOLDING = """gate AS (
    SELECT c.checkout_id FROM checkouts c
    WHERE c.recovery_point = 'created' AND c.actor_key = :holding_actor AND c.idempotency_key = :holding_key)"""
_NO_CHECK = "feasible AS (SELECT unnest(CAST(:gate_checkouts AS uuid[])) AS checkout_id)"
# What became of each checkout of a batch: whether the check before the gate passed, and whether the gate let it pass.
PASSED = """w.checkout_id, f.checkout_id IS NOT NULL AS feasible, g.checkout_id IS NOT NULL AS moved
    FROM unnest(CAST(:gate_checkouts AS uuid[])) AS w(checkout_id)
    LEFT JOIN feasible f ON f.checkout_id = w.checkout_id LEFT JOIN gate g ON g.checkout_id = w.checkout_id"""

_GIVEN = """wanted_carts AS MATERIALIZED (
    SELECT NULL::int AS request, NULL::uuid AS cart_id, NULL::int AS version, NULL::uuid AS claimed_by,
           NULL::uuid AS ordered_by, NULL::int AS ordered_version, NULL::text AS coupons WHERE false),
wanted AS MATERIALIZED (
    SELECT g.request, g.product_id, g.variant_id, g.quantity, NULL::uuid AS cart_item_id, g.place
    FROM unnest(CAST(:wanted_requests AS int[]), CAST(:wanted_products AS uuid[]), CAST(:wanted_variants AS uuid[]),
                CAST(:wanted_quantities AS int[]))
         WITH ORDINALITY AS g(request, product_id, variant_id, quantity, place))"""
# One row per line of each request: what is wanted, the offer of that variant with what the order's line keeps of it
# (null when there is none), and the warehouses that have it (arrays in one order) or may owe it. Each row repeats what
# belongs to its request: the idempotency key if it is known, the saved address if it is the actor's, and the cart that
# it orders, with the order that took what was in it if nothing changed since. A request without a line has one row.
# Joins tables of catalog, inventory, identity and orders, so that a quote is one round trip.
QUOTED = f"""f.place AS request, f.request_hash, f.status AS key_status, f.response_status, f.response_headers,
           f.response_body, w.product_id AS wanted_product, w.variant_id AS wanted_variant, w.quantity,
           v.product_id, v.price, p.tax_class, p.weight_grams, p.prime_eligible, p.seller_id, p.currency,
           CAST(p.restrictions AS text) AS restrictions, p.condition, p.kind,
           {sellable("p", "v")} AS for_sale,
           p.title, {titles("p")} AS titles, v.sku, v.attributes, p.base_price, p.list_price,
           (SELECT '{PREFIX}' || m.picture || '/{THUMBNAIL_SIZE}.webp' FROM product_images m
            WHERE m.product_id = p.product_id ORDER BY m.position LIMIT 1) AS image,
           (SELECT k.path FROM categories k WHERE k.category_id = p.category_id) AS category,
           s.warehouses, s.available, s.rooms, (SELECT edition FROM warehouse_editions) AS edition, a.address,
           w.cart_item_id, c.cart_id, c.version AS cart_version, c.claimed_by AS cart_claimed_by,
           c.coupons AS cart_coupons,
           r.order_id AS cart_order_id, r.order_number AS cart_order_number
    FROM keys_found f
    LEFT JOIN wanted w ON w.request = f.place
    LEFT JOIN wanted_carts c ON c.request = f.place
    LEFT JOIN orders r ON r.order_id = c.ordered_by AND c.ordered_version = c.version
    LEFT JOIN product_variants v ON v.variant_id = w.variant_id
    LEFT JOIN products p ON p.product_id = v.product_id
    LEFT JOIN LATERAL (
        SELECT array_agg(warehouse_id) AS warehouses, array_agg(available) AS available,
               {ROOMS} AS rooms
        FROM warehouse_stock
        WHERE variant_id = v.variant_id AND (available > 0 OR owed < backorder_limit)) s ON true
    LEFT JOIN LATERAL (
        SELECT jsonb_build_object('street', a.street, 'city', a.city, 'state', a.state, 'zipCode', a.zip_code,
                                  'country', a.country) AS address
        FROM unnest(CAST(:saved_requests AS int[]), CAST(:saved_addresses AS uuid[]), CAST(:saved_users AS uuid[]))
             AS o(request, address_id, user_id)
        JOIN addresses a USING (address_id, user_id) WHERE o.request = f.place) a ON true
    ORDER BY f.place, w.place"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class NewCheckout:
    """A checkout that is to be stored at its first point. `request` is its JSON."""

    checkout_id: UUID
    token: UUID
    actor: Actor
    key: str
    request: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Move:
    """A step of one checkout, by the owner of the lease `token`, and how long the lease lasts after it."""

    checkout_id: UUID
    token: UUID
    lease_seconds: float
    failure: Problem | None = None


def open_part(checkouts: Sequence[NewCheckout], lease_seconds: float) -> Part:
    """Insert those of the checkouts that an earlier part's CTE `claimed` names; they are the gate."""
    return Part(
        _OPEN,
        {
            "gate_checkouts": [new.checkout_id for new in checkouts],
            "gate_tokens": [new.token for new in checkouts],
            "open_actors": [new.actor.key for new in checkouts],
            "open_users": [new.actor.user_id for new in checkouts],
            "open_sessions": [new.actor.session_id for new in checkouts],
            "open_keys": [new.key for new in checkouts],
            "open_requests": [new.request for new in checkouts],
            "open_plans": [new.plan.model_dump_json() for new in checkouts],
            "open_orders": [new.plan.order_id for new in checkouts],
            "open_lease": lease_seconds,
        },
        makes=("gate",),
        needs=("claimed",),
        writes=frozenset({"checkouts"}),
    )


def gate_part(moves: Sequence[Move], before: str, after: str) -> Part:
    """Move each checkout that an earlier part's CTE `feasible` names, if its token is still its lease and it is still
    at `before`; everything else in the statement follows."""
    return Part(
        _GATE,
        {
            "gate_checkouts": [move.checkout_id for move in moves],
            "gate_tokens": [move.token for move in moves],
            "gate_leases": [move.lease_seconds for move in moves],
            "gate_failures": [_kept(move.failure) for move in moves],
            "gate_now": before,
            "gate_next": after,
        },
        makes=("gate",),
        needs=("feasible",),
        writes=frozenset({"checkouts"}),
    )


def holding_part(actor_key: str, key: str) -> Part:
    """The gate is the checkout of this key while it holds stock."""
    return Part(_HOLDING, {"holding_actor": actor_key, "holding_key": key}, makes=("gate",))


def no_check(checkouts: Sequence[UUID]) -> Part:
    """The CTE `feasible` of a step that nothing prevents."""
    return Part(_NO_CHECK, {"gate_checkouts": list(checkouts)}, makes=("feasible",))


def lines_part(requests: Sequence[Sequence[OrderLine]]) -> Part:
    """The lines that the requests name: CTE `wanted` has them with the place of their request, 1 for the first. They
    order no cart: `wanted_carts` is empty."""
    lines = [(request, line) for request, of_request in enumerate(requests, 1) for line in of_request]
    return Part(
        _GIVEN,
        {
            "wanted_requests": [request for request, _ in lines],
            "wanted_products": [line.product_id for _, line in lines],
            "wanted_variants": [line.variant_id for _, line in lines],
            "wanted_quantities": [line.quantity for _, line in lines],
        },
        makes=("wanted_carts", "wanted"),
    )


def saved_values(addresses: Mapping[int, tuple[UUID, UUID | None]]) -> dict[str, object]:
    """The binds of QUOTED itself: the saved address and its owner, of each request (by place) that names one."""
    return {
        "saved_requests": list(addresses),
        "saved_addresses": [address for address, _ in addresses.values()],
        "saved_users": [user for _, user in addresses.values()],
    }


def _kept(failure: Problem | None) -> str | None:
    return None if failure is None else orjson.dumps({"code": failure.code, "detail": failure.detail}).decode()

"""The SQL of the checkout: the insert of its row, the gate that checks the lease, and the offers of a quote.

`tests/integration/api/inventory/test_inventory.py` counts these statements: each is one round trip of placing an order.
"""

from uuid import UUID

import orjson
from sqlalchemy import text

from api.checkout.schemas import Plan
from api.kernel.actor import Actor
from api.kernel.errors import Problem
from api.kernel.idempotency import RequestKey
from api.kernel.statement import Part

_BEGIN = """begun AS (
    INSERT INTO checkouts (checkout_id, actor_key, user_id, session_id, idempotency_key, recovery_point, request,
                           lease_token, lease_expires_at)
    SELECT :checkout_id, :key_actor, :checkout_user, :checkout_session, :key_key, 'started',
           CAST(:checkout_request AS jsonb), :lease_token, now() + make_interval(secs => :lease_seconds)
    FROM claim RETURNING 1)"""
_GATE = """gate AS (
    UPDATE checkouts SET recovery_point = :gate_next, plan = coalesce(CAST(:gate_plan AS jsonb), plan),
           order_id = coalesce(CAST(:gate_order AS uuid), order_id),
           failure = coalesce(CAST(:gate_failure AS jsonb), failure),
           lease_expires_at = now() + make_interval(secs => :lease_seconds), updated_at = now()
    WHERE checkout_id = :checkout_id AND lease_token = :lease_token AND recovery_point = :gate_now
      AND (SELECT ok FROM feasible) RETURNING checkout_id)"""
# The results of the two composed statements of a checkout.
CLAIMED = "(SELECT count(*) FROM claim) AS claimed"
MOVED = "(SELECT count(*) FROM gate) AS moved, (SELECT ok FROM feasible) AS ok"
NO_CHECK = Part("feasible AS (SELECT true AS ok)", makes=("feasible",))

# One row per variant: the offer, the warehouses that have it (three arrays in one order), and the saved address if it
# is the actor's. Joins tables of catalog, inventory and identity, so that a quote is one round trip.
OFFERS = text(
    """SELECT v.variant_id, v.product_id, v.price, p.seller_id, p.currency,
           p.status = 'active' AND p.deleted_at IS NULL AS for_sale,
           s.warehouses, s.countries, s.available,
           (SELECT jsonb_build_object('street', a.street, 'city', a.city, 'state', a.state, 'zipCode', a.zip_code,
                                      'country', a.country)
            FROM addresses a
            WHERE a.address_id = CAST(:address_id AS uuid) AND a.user_id = CAST(:user_id AS uuid)) AS address
    FROM product_variants v JOIN products p USING (product_id)
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(s.warehouse_id), '{}') AS warehouses,
               coalesce(array_agg(w.country), '{}') AS countries,
               coalesce(array_agg(s.available), '{}') AS available
        FROM warehouse_stock s JOIN warehouses w USING (warehouse_id)
        WHERE s.variant_id = v.variant_id AND s.available > 0) s
    WHERE v.variant_id = ANY(CAST(:variants AS uuid[]))"""
)


def begin_part(
    *, checkout_id: UUID, actor: Actor, key: RequestKey, request: str, token: UUID, lease_seconds: float
) -> Part:
    """Insert the checkout at its first point if the request is the first with its key."""
    values: dict[str, object] = {
        "checkout_id": checkout_id,
        "key_actor": key.actor_key,
        "key_key": key.key,
        "checkout_user": actor.user_id,
        "checkout_session": actor.session_id,
        "checkout_request": request,
        "lease_token": token,
        "lease_seconds": lease_seconds,
    }
    return Part(_BEGIN, values, makes=("begun",), needs=("claim",), writes=frozenset({"checkouts"}))


def gate_part(
    *,
    checkout_id: UUID,
    token: UUID,
    before: str,
    after: str,
    lease_seconds: float,
    plan: Plan | None,
    failure: Problem | None,
) -> Part:
    """Move the checkout if `token` is still its lease, it is still at `before`, and an earlier part's CTE `feasible`
    says ok; everything else in the statement follows."""
    kept = None if failure is None else orjson.dumps({"code": failure.code, "detail": failure.detail}).decode()
    values: dict[str, object] = {
        "checkout_id": checkout_id,
        "lease_token": token,
        "lease_seconds": lease_seconds,
        "gate_now": before,
        "gate_next": after,
        "gate_plan": None if plan is None else plan.model_dump_json(),
        "gate_order": None if plan is None else plan.order_id,
        "gate_failure": kept,
    }
    return Part(_GATE, values, makes=("gate",), needs=("feasible",), writes=frozenset({"checkouts"}))

"""Reading orders, always for somebody: the buyer, a guest's session, a seller of every line, an administrator."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.money import ZERO
from api.kernel.pagination import PageParams
from api.orders.errors import OrderNotFound
from api.orders.schemas import OrderBody, OrderItemBody, OrderStepBody, OrderSummary, PaymentBody, ReturnBody

# The actor is part of every WHERE: an order that is not theirs does not exist for them.
BUYER = (
    "(o.user_id = CAST(:actor_user AS uuid) OR (o.user_id IS NULL AND o.guest_session = CAST(:actor_session AS text)))"
)
SELLER = (
    "(CAST(:actor_seller AS uuid) IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM order_items x WHERE x.order_id = o.order_id AND x.seller_id <> CAST(:actor_seller AS uuid)))"
)
MAY_SEE = f"({BUYER} OR {SELLER} OR CAST(:actor_admin AS boolean))"

_ORDER = text(
    f"""SELECT o.*, {BUYER} AS is_buyer, p.status AS gateway_status, p.method_type, p.captured_amount,
    p.refunded_amount,
       (SELECT json_agg(json_build_object('orderItemId', i.order_item_id, 'productId', i.product_id, 'variantId',
       i.variant_id,
            'sellerId', i.seller_id, 'title', pr.title, 'sku', v.sku, 'quantity', i.quantity, 'price',
            i.price_at_purchase,
            'subtotal', i.subtotal, 'status', i.status, 'returnedQuantity', coalesce((SELECT sum(r.quantity) FROM
            returns r
                WHERE r.order_item_id = i.order_item_id AND r.status <> 'rejected'), 0)) ORDER BY i.order_item_id)
        FROM order_items i JOIN products pr USING (product_id) JOIN product_variants v USING (variant_id)
        WHERE i.order_id = o.order_id) AS items,
       (SELECT json_agg(json_build_object('fromStatus', e.from_status, 'toStatus', e.to_status, 'by', e.actor_kind,
       'reason', e.reason,
            'at', e.created_at) ORDER BY e.sequence) FROM order_events e WHERE e.order_id = o.order_id) AS history,
       (SELECT json_agg(json_build_object('returnId', r.return_id, 'orderItemId', r.order_item_id, 'quantity',
       r.quantity,
            'reason', r.reason, 'status', r.status, 'refundAmount', r.refund_amount, 'createdAt', r.created_at) ORDER BY
            r.return_id)
        FROM returns r WHERE r.order_id = o.order_id) AS returns
    FROM orders o LEFT JOIN LATERAL (SELECT * FROM payments p WHERE p.order_id = o.order_id ORDER BY p.created_at DESC
    LIMIT 1) p ON true
    WHERE o.order_id = :order_id AND {MAY_SEE}"""  # noqa: S608 - constants of this module
)
_LOCK = text(
    f"SELECT o.order_id, o.status, o.total, o.payment_status, {BUYER} AS is_buyer, {SELLER} AS is_seller "  # noqa: S608 - constants of this module
    f"FROM orders o "
    f"WHERE o.order_id = :order_id AND {MAY_SEE} FOR UPDATE"
)
_LIST = text(
    """SELECT o.order_id, o.order_number, o.status, o.currency, o.total, o.estimated_delivery, o.created_at,
       (SELECT coalesce(sum(i.quantity), 0) FROM order_items i WHERE i.order_id = o.order_id) AS item_count
    FROM orders o WHERE o.user_id = :user_id AND (CAST(:status AS text) IS NULL OR o.status = :status)
      AND (CAST(:before_at AS timestamptz) IS NULL
           OR (o.created_at, o.order_id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS uuid)))
    ORDER BY o.created_at DESC, o.order_id DESC LIMIT :limit OFFSET :offset"""
)
_COUNT = text(
    "SELECT count(*) FROM orders o WHERE o.user_id = :user_id AND (CAST(:status AS text) IS NULL OR o.status = :status)"
)


def actor_values(actor: Actor) -> dict[str, object]:
    """Binds of MAY_SEE. An actor without user and session matches nothing."""
    return {
        "actor_user": actor.user_id,
        "actor_session": None if actor.signed_in else actor.session_id,
        "actor_seller": actor.user_id if actor.kind == "seller" else None,
        "actor_admin": actor.kind == "admin",
    }


async def order_of(tx: ReadTx, actor: Actor, order_id: UUID) -> OrderBody:
    """One order in full, one round trip. Raises: OrderNotFound."""
    row = await tx.first(_ORDER, {"order_id": order_id, **actor_values(actor)})
    if row is None:
        raise OrderNotFound
    return _body(row)


async def lock_order(tx: ReadTx, actor: Actor, order_id: UUID) -> Row[Any]:  # Any: a row of _LOCK
    """The order's row, locked until the transaction ends. Raises: OrderNotFound."""
    row = await tx.first(_LOCK, {"order_id": order_id, **actor_values(actor)})
    if row is None:
        raise OrderNotFound
    return row


async def orders_of(
    tx: ReadTx, actor: Actor, user_id: UUID, *, status: str | None, page: PageParams, before: tuple[str, str] | None
) -> tuple[list[OrderSummary], int | None, bool]:
    """A page of a member's orders, newest first: (orders, total or None behind a cursor, whether there are more).

    Raises: OrderNotFound when the actor is neither that member nor an administrator.
    """
    if user_id != actor.user_id and actor.kind != "admin":
        raise OrderNotFound
    values: dict[str, object] = {"user_id": user_id, "status": status}
    window = {
        "before_at": before[0] if before else None,
        "before_id": before[1] if before else None,
        "limit": page.limit + 1,
        "offset": 0 if before else page.offset,
    }
    rows = await tx.all(_LIST, {**values, **window})
    total = None if before else await tx.scalar(_COUNT, values)
    return [_summary(row) for row in rows[: page.limit]], total, len(rows) > page.limit


def _summary(row: Row[Any]) -> OrderSummary:  # Any: a row of _LIST
    return OrderSummary(
        order_id=row.order_id,
        order_number=row.order_number,
        status=row.status,
        currency=row.currency,
        total=row.total,
        item_count=row.item_count,
        estimated_delivery=row.estimated_delivery,
        created_at=row.created_at,
    )


def _body(row: Row[Any]) -> OrderBody:  # Any: a row of _ORDER
    return OrderBody(
        order_id=row.order_id,
        order_number=row.order_number,
        status=row.status,
        currency=row.currency,
        items=[OrderItemBody.model_validate(item, strict=False) for item in _list(row.items)],
        subtotal=row.subtotal,
        tax=row.tax,
        shipping=row.shipping_fee,
        discount=row.discount,
        total=row.total,
        payment=PaymentBody(
            method=row.payment_method,
            status=row.payment_status,
            captured=row.captured_amount or ZERO,
            refunded=row.refunded_amount or ZERO,
        ),
        shipping_address={str(k): str(v) for k, v in row.shipping_address.items()} if row.is_buyer else None,
        email=row.guest_email if row.is_buyer else None,
        delivery_speed=row.delivery_speed,
        estimated_delivery=row.estimated_delivery,
        delivered_at=row.actual_delivery,
        history=[OrderStepBody.model_validate(step, strict=False) for step in _list(row.history)],
        returns=[ReturnBody.model_validate(item, strict=False) for item in _list(row.returns)],
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _list(value: Sequence[dict[str, Any]] | None) -> Sequence[dict[str, Any]]:  # Any: JSON from the database
    return value or ()

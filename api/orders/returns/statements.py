"""The SQL of returns as parts of one statement: the first event of those that were requested, and their decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.kernel.money import ZERO
from api.kernel.statement import Part

_RETURNS_REQUESTED = """requested_steps AS (
    INSERT INTO return_events (return_id, to_status, order_id, order_item_id, seller_id, quantity, refund_amount,
                               goods_amount, tax_amount, shipping_amount, currency)
    SELECT r.return_id, r.status, r.order_id, r.order_item_id, r.seller_id, r.quantity, r.refund_amount,
           r.goods_amount, r.tax_amount, r.shipping_amount, o.currency
    FROM returns r JOIN orders o ON o.order_id = r.order_id, gate
    WHERE r.return_id = ANY(CAST(:return_ids AS uuid[])) RETURNING 1)"""
_DECIDE_RETURNS = """decided AS (
    UPDATE returns r
    SET status = CAST(:return_to AS text), refund_id = coalesce(CAST(:return_refund AS uuid), r.refund_id),
        restocked = coalesce(d.restocked, r.restocked), fee_amount = r.fee_amount + d.fee,
        goods_amount = r.goods_amount - d.fee, refund_amount = r.refund_amount - d.fee,
        label_due = r.label_due OR d.label, updated_at = now()
    FROM unnest(CAST(:return_ids AS uuid[]), CAST(:return_restocked AS bool[]), CAST(:return_fees AS numeric[]),
                CAST(:return_labels AS bool[])) AS d(return_id, restocked, fee, label), gate
    WHERE r.return_id = d.return_id AND r.status = :return_from
    RETURNING r.return_id, r.order_id, r.order_item_id, r.seller_id, r.quantity, r.refund_amount, r.goods_amount,
              r.tax_amount, r.shipping_amount),
decided_steps AS (
    INSERT INTO return_events (return_id, to_status, order_id, order_item_id, seller_id, quantity, refund_amount,
                               goods_amount, tax_amount, shipping_amount, currency)
    SELECT d.return_id, CAST(:return_to AS text), d.order_id, d.order_item_id, d.seller_id, d.quantity,
           d.refund_amount, d.goods_amount, d.tax_amount, d.shipping_amount, o.currency
    FROM decided d JOIN orders o ON o.order_id = d.order_id RETURNING 1)"""


def requested_part(return_ids: Sequence[UUID]) -> Part:
    """The first event of each of these returns, which the transaction has inserted."""
    return Part(
        _RETURNS_REQUESTED,
        {"return_ids": list(return_ids)},
        makes=("requested_steps",),
        needs=("gate",),
        writes=frozenset({"return_events"}),
    )


@dataclass(frozen=True, slots=True)
class DecidedReturn:
    """`restocked`: what becomes of the units, None for no change; `fee`: what the seller keeps of the goods; `label`:
    a carrier is to be asked for one."""

    return_id: UUID
    restocked: bool | None = None
    fee: Decimal = ZERO
    label: bool = False


def decide_part(returns: Sequence[DecidedReturn], before: str, after: str, refund_id: UUID | None = None) -> Part:
    """Move these returns from `before` to `after`, each with its event; `refund_id`: the refund that pays them."""
    return Part(
        _DECIDE_RETURNS,
        {
            "return_ids": [one.return_id for one in returns],
            "return_restocked": [one.restocked for one in returns],
            "return_fees": [one.fee for one in returns],
            "return_labels": [one.label for one in returns],
            "return_from": before,
            "return_to": after,
            "return_refund": refund_id,
        },
        makes=("decided", "decided_steps"),
        needs=("gate",),
        writes=frozenset({"returns", "return_events"}),
    )

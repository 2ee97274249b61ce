"""The SQL of redemptions as parts of a checkout's and of a cancellation's statement.

The promotions are locked by a statement before (`lock_query`, `lock_of_order`), in id order, in the same round trip and
transaction: the statement that counts what was redeemed then sees every redemption that is committed. They are locked
before stock, everywhere. A checkout without codes sends none of it (`tests/integration/api/promotions/test_coupons.py`
counts the statements).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text

from api.kernel.db import Query, done
from api.kernel.statement import Part

_LOCK = text(
    """
    SELECT promotion_id FROM promotions WHERE promotion_id = ANY(CAST(:promotions AS uuid[]))
    ORDER BY promotion_id FOR NO KEY UPDATE"""
)
LOCK_OF_ORDER = text(
    """
    SELECT p.promotion_id FROM promotions p
    WHERE p.promotion_id IN (SELECT r.promotion_id FROM coupon_redemptions r
                             WHERE r.order_id = :order_id AND r.status = 'redeemed')
    ORDER BY p.promotion_id FOR NO KEY UPDATE OF p"""
)
# A batch's redemptions are counted in the order of its checkouts, as its stock is. A checkout passes when each of its
# promotions is as it was planned with, is valid now, and has room, in all and for the buyer.
REDEEM_CHECK = """redeeming AS MATERIALIZED (
    SELECT r.checkout_id, r.place, r.redemption_id, r.promotion_id, r.version, r.code, r.user_id, r.email, r.discount,
           r.currency
    FROM unnest(CAST(:redeem_checkouts AS uuid[]), CAST(:redeem_places AS int[]), CAST(:redeem_ids AS uuid[]),
                CAST(:redeem_promotions AS uuid[]), CAST(:redeem_versions AS int[]), CAST(:redeem_codes AS text[]),
                CAST(:redeem_users AS uuid[]), CAST(:redeem_emails AS text[]), CAST(:redeem_discounts AS numeric[]),
                CAST(:redeem_currencies AS text[]))
         AS r(checkout_id, place, redemption_id, promotion_id, version, code, user_id, email, discount, currency)
    JOIN in_stock USING (checkout_id)),
redeemed_before AS MATERIALIZED (
    SELECT r.redemption_id,
           (SELECT count(*) FROM coupon_redemptions b
            WHERE b.promotion_id = r.promotion_id AND b.status = 'redeemed' AND b.buyer_email = r.email)
           + (SELECT count(*) FROM coupon_redemptions b
              WHERE b.promotion_id = r.promotion_id AND b.status = 'redeemed' AND b.user_id = r.user_id
                AND b.buyer_email IS DISTINCT FROM r.email) AS by_buyer
    FROM redeeming r),
redemptions_judged AS MATERIALIZED (
    SELECT r.checkout_id,
           p.version = r.version AND p.starts_at <= now() AND coalesce(p.ends_at > now(), true)
           AND coalesce(p.redeemed + count(*) OVER in_all <= p.total_limit, true)
           AND coalesce(b.by_buyer + count(*) OVER of_buyer <= p.per_buyer_limit, true) AS fits
    FROM redeeming r JOIN promotions p USING (promotion_id) JOIN redeemed_before b USING (redemption_id)
    WINDOW in_all AS (PARTITION BY r.promotion_id ORDER BY r.place),
           of_buyer AS (PARTITION BY r.promotion_id, r.email ORDER BY r.place)),
redeemable AS MATERIALIZED (
    SELECT s.checkout_id FROM in_stock s
    WHERE NOT EXISTS (SELECT 1 FROM redemptions_judged j WHERE j.checkout_id = s.checkout_id AND NOT j.fits))"""
_REDEEM = """redemptions_made AS (
    INSERT INTO coupon_redemptions (redemption_id, promotion_id, order_id, code, user_id, buyer_email, discount,
                                    currency, funded_by)
    SELECT r.redemption_id, r.promotion_id, gate.order_id, r.code, r.user_id, r.email, r.discount, r.currency,
           CASE WHEN p.seller_id IS NULL THEN 'shop' ELSE 'seller' END
    FROM redeeming r JOIN gate USING (checkout_id) JOIN promotions p USING (promotion_id) RETURNING 1),
promotions_redeemed AS (
    UPDATE promotions p SET redeemed = p.redeemed + r.redemptions, updated_at = now()
    FROM (SELECT promotion_id, count(*)::int AS redemptions FROM redeeming JOIN gate USING (checkout_id)
          GROUP BY promotion_id) r
    WHERE p.promotion_id = r.promotion_id RETURNING 1),
lines_discounted AS (
    INSERT INTO coupon_discounts (redemption_id, order_item_id, amount)
    SELECT d.redemption_id, d.order_item_id, d.amount
    FROM unnest(CAST(:discount_redemptions AS uuid[]), CAST(:discount_lines AS uuid[]),
                CAST(:discount_amounts AS numeric[])) AS d(redemption_id, order_item_id, amount)
    JOIN redeeming r USING (redemption_id) JOIN gate ON gate.checkout_id = r.checkout_id RETURNING 1)"""
_RELEASE = """redemptions_released AS (
    UPDATE coupon_redemptions r SET status = 'released', released_at = now() FROM gate
    WHERE r.order_id = :released_order AND r.status = 'redeemed' RETURNING r.promotion_id),
promotions_released AS (
    UPDATE promotions p SET redeemed = p.redeemed - 1, updated_at = now() FROM redemptions_released r
    WHERE p.promotion_id = r.promotion_id RETURNING 1)"""


@dataclass(frozen=True, slots=True)
class Redemption:
    """A promotion, as it was at `version`, that a checkout redeems. `lines`: (order line, amount off it). `email`:
    the buyer's, in small letters."""

    checkout_id: UUID
    place: int
    redemption_id: UUID
    promotion_id: UUID
    version: int
    code: str
    user_id: UUID | None
    email: str | None
    discount: Decimal
    currency: str
    lines: Sequence[tuple[UUID, Decimal]]


def lock_query(promotions: Sequence[UUID]) -> Query[None]:
    """Lock the promotions, in the same order everywhere."""
    return done(_LOCK, {"promotions": list(promotions)})


def redeem_check(redemptions: Sequence[Redemption]) -> Part:
    """Narrow the CTE `in_stock` to `redeemable`: the checkouts whose promotions all have room. `place` is the order in
    which they are counted."""
    return Part(
        REDEEM_CHECK,
        {
            "redeem_checkouts": [one.checkout_id for one in redemptions],
            "redeem_places": [one.place for one in redemptions],
            "redeem_ids": [one.redemption_id for one in redemptions],
            "redeem_promotions": [one.promotion_id for one in redemptions],
            "redeem_versions": [one.version for one in redemptions],
            "redeem_codes": [one.code for one in redemptions],
            "redeem_users": [one.user_id for one in redemptions],
            "redeem_emails": [one.email for one in redemptions],
            "redeem_discounts": [one.discount for one in redemptions],
            "redeem_currencies": [one.currency for one in redemptions],
        },
        makes=("redeeming", "redeemed_before", "redemptions_judged", "redeemable"),
        needs=("in_stock",),
    )


def redeem_part(redemptions: Sequence[Redemption]) -> Part:
    """Redeem what was checked, for the checkouts and orders that the gate names."""
    lines = [(one.redemption_id, *line) for one in redemptions for line in one.lines]
    return Part(
        _REDEEM,
        {
            "discount_redemptions": [redemption for redemption, _, _ in lines],
            "discount_lines": [line for _, line, _ in lines],
            "discount_amounts": [amount for _, _, amount in lines],
        },
        makes=("redemptions_made", "promotions_redeemed", "lines_discounted"),
        needs=("redeeming", "gate"),
        writes=frozenset({"coupon_redemptions", "promotions", "coupon_discounts"}),
    )


def release_part(order_id: UUID) -> Part:
    """Give back what the order redeemed: it is cancelled. The gate has one row, and the promotions are locked."""
    return Part(
        _RELEASE,
        {"released_order": order_id},
        makes=("redemptions_released", "promotions_released"),
        needs=("gate",),
        writes=frozenset({"coupon_redemptions", "promotions"}),
    )

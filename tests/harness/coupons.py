"""Promotions in the shop of a test, and what became of them."""

from typing import Any

import httpx

from tests.harness.buying import Market
from tests.harness.shop import Person

PROMOTIONS = "/api/v1/sellers/me/promotions"


def promote(market: Market, owner: Person, *codes: str, **fields: Any) -> dict[str, Any]:
    """A promotion of ten per cent, unless `fields` say otherwise, with these codes."""
    answer = asked_for(market, owner, *codes, **fields)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def asked_for(market: Market, owner: Person, *codes: str, **fields: Any) -> httpx.Response:
    body = {"name": "Ten off", "kind": "percent", "value": 10, "codes": [{"code": code} for code in codes], **fields}
    headers = {**owner.headers, "Idempotency-Key": next(market.keys)}
    return market.client.post(PROMOTIONS, json=body, headers=headers)


def redeemed(market: Market, promotion: dict[str, Any]) -> tuple[int, int, int]:
    """(the promotion's counter, living redemptions, released ones)."""
    row = market.sql.execute(
        "select p.redeemed, count(r) filter (where r.status = 'redeemed'), count(r) filter (where r.status ="
        " 'released') from promotions p left join coupon_redemptions r using (promotion_id)"
        " where promotion_id = %s group by p.promotion_id",
        (promotion["promotionId"],),
    ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]

"""A shopper made through HTTP buys; the order is in the lake within 30 seconds and on the seller's page within 60, at
the right amounts."""

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import httpx
import pytest

from tests.harness.browser import page_in_chromium
from tests.harness.platform import Platform
from warehouse.lake.read import attach, latest_watermark

ADDRESS = {"street": "1 Market Street", "city": "Springfield", "state": "IL", "zipCode": "62701", "country": "US"}


def buy(api: httpx.Client, seller_id: str) -> dict[str, Any]:
    """Register, put one unit in the cart and order it. Returns the order with the line's `price` and the `headers`."""
    account = {
        "email": f"shopper-{uuid4().hex[:8]}@example.com",
        "password": "a long enough passphrase",
        "name": "Some Shopper",
    }
    registered = api.post("/api/v1/auth/register", json=account)
    assert registered.status_code == 201, registered.text
    headers = {"Authorization": f"Bearer {registered.json()['accessToken']}"}
    product = next(
        detail
        for row in api.get("/api/v1/products", params={"limit": 100}).json()["products"]
        if row["inStock"]
        and (detail := api.get(f"/api/v1/products/{row['productId']}").json())["seller"]["sellerId"] == seller_id
    )
    variant = next(row for row in product["variants"] if row["stock"] > 0)
    item = {"productId": product["productId"], "variantId": variant["variantId"], "quantity": 1}
    assert api.post("/api/v1/cart/items", json=item, headers=headers).status_code == 201
    body = {"shippingAddress": ADDRESS, "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_ok"}}
    ordered = api.post("/api/v1/orders", json=body, headers={**headers, "Idempotency-Key": uuid4().hex})
    assert ordered.status_code == 201, ordered.text
    return {**ordered.json(), "price": variant["price"], "headers": headers}


def in_the_lake(lake: str, order_id: str) -> bool:
    watermark = latest_watermark(lake)
    assert watermark is not None
    with duckdb.connect() as connection:
        attach(connection, lake, watermark, schema="lake")
        row = connection.execute(
            "SELECT count(*) FROM lake.orders WHERE order_id = ? AND status <> 'pending'", [order_id]
        ).fetchone()
    return row == (1,)


@pytest.mark.browser
def test_an_order_reaches_the_lake_and_the_sellers_page(platform: Platform) -> None:
    accounts = json.loads(Path(platform.home / "demo-accounts.json").read_text())
    status = platform.status()

    with httpx.Client(base_url=str(status["api"]["url"]), timeout=30, trust_env=False) as api:
        order = buy(api, accounts["seller"]["userId"])
        ordered_at = time.monotonic()
        while not in_the_lake(str(status["lake"]["uri"]), order["orderId"]):
            assert time.monotonic() - ordered_at < 30, "not in the lake within 30 seconds"
            time.sleep(0.2)

        mine = api.get(f"/api/v1/orders/{order['orderId']}", headers=order["headers"]).json()
    assert mine["status"] == "confirmed"

    with page_in_chromium() as (page, complaints):
        page.goto(str(status["dashboard"]["url"]))
        page.fill("#email", accounts["seller"]["email"])
        page.fill("#password", accounts["seller"]["password"])
        page.click("button[type=submit]")
        page.wait_for_selector("#sales-chart.drawn")
        row = page.locator("#latest-orders tbody tr", has_text=order["orderNumber"])
        assert row.count() == 1
        assert f"{order['price']:,.2f}" in row.inner_text()
        assert time.monotonic() - ordered_at < 60, "not on the page within 60 seconds"
        assert "Analytics as of" in page.inner_text("#as-of")
        assert complaints == []


def test_the_accounts_are_kept_for_their_owner_only(platform: Platform) -> None:
    accounts = platform.home / "demo-accounts.json"

    assert accounts.stat().st_mode & 0o777 == 0o600
    assert {"shopper", "seller", "admin"} <= set(json.loads(accounts.read_text()))

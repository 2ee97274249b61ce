"""The invoices of an order to several addresses: one of each seller, which says where its parcels go."""

from decimal import Decimal
from typing import Any

import pypdfium2

from api.kernel.context import Context
from tests.harness.buying import Market
from tests.harness.mailing import settle
from tests.harness.parcels import part_of, send
from tests.harness.shop import Person

COLOGNE = {"street": "Königstr. 1", "city": "Köln", "zipCode": "50667", "country": "DE", "name": "Zoë Łódź"}
LISBON = {"street": "Rua Augusta 1", "city": "Lisboa", "zipCode": "1100-048", "country": "PT"}


def words(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "\n".join(document[page].get_textpage().get_text_range() for page in range(len(document)))


async def test_each_seller_bills_once_and_says_where_the_parcels_go(
    market: Market, buyer: Person, seller: Person, ctx: Context
) -> None:
    sellers = [seller, market.person("seller")]
    mine, other = (market.product(one, stock=9, price=20.0) for one in sellers)
    gifts = [{"variantId": one["variants"][0]["variantId"], "quantity": 1} for one in (mine, other)]
    away = [{"shippingAddress": LISBON, "lines": gifts}]
    body = market.order_body((mine, 2), (other, 1), shippingAddress=COLOGNE, destinations=away)
    order_id = market.buy(buyer, body).json()["orderId"]
    for parcel in part_of(market, seller, order_id)["parcels"]:
        send(market, seller, parcel["parcelId"], "process", "ship")
    await settle(ctx)

    path, headers = f"/api/v1/orders/{order_id}", buyer.headers
    found: list[dict[str, Any]] = market.client.get(f"{path}/invoices", headers=headers).json()["invoices"]
    shown = {one["sellerId"]: one for one in found}
    assert len(found) == len(shown) == 2
    total = market.client.get(path, headers=headers).json()["total"]
    assert sum(Decimal(str(one["total"])) for one in found) == Decimal(str(total))
    both, elsewhere = (shown[one.user_id] for one in sellers)
    assert sorted(row["rate"] for row in both["taxes"]) == [0.19, 0.23]
    first, again = (market.client.get(both["pdf"], headers=headers).content for _ in range(2))
    assert first == again
    for said in ("Königstr. 1", "Rua Augusta 1", "Ship to 2", "19 %", "23 %"):
        assert said in words(first), said
    assert "Ship to 1" in words(market.client.get(elsewhere["pdf"], headers=headers).content)
    for one, shop in zip((both, elsewhere), sellers, strict=True):
        copy = words(market.client.get(one["pdf"], headers=shop.headers).content)
        assert "PT" in copy
        for hidden in ("Rua Augusta", "Lisboa", "Königstr"):
            assert hidden not in copy
    market.sql.execute("update parcels set shipping_address = null where order_id = %s", (order_id,))
    assert market.client.get(both["pdf"], headers=headers).content == first

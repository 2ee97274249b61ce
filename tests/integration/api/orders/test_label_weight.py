"""A label has the weight of its parcel: units that leave the parcel take the label with them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from api.kernel.context import Context
from api.kernel.failpoints import FailpointError
from api.orders.labels import commands as labels
from tests.harness.buying import Market
from tests.harness.carriers import Carriage, intent, sold_to
from tests.harness.shop import problem

NOW = timedelta(0)


@pytest.mark.parametrize("what", ["split", "cancel", "buyer"])
async def test_a_parcel_from_which_units_go_gives_back_the_label_of_its_old_weight(
    ctx: Context, market: Market, carriage: Carriage, what: str
) -> None:
    order_id, parcel_id = carriage.parcel()
    first = carriage.label(parcel_id)
    part = market.client.get(f"/api/v1/sellers/me/orders/{order_id}", headers=carriage.seller.headers).json()
    item = part["parcels"][0]["lines"][0]["orderItemId"]
    some: dict[str, Any] = {"lines": [{"orderItemId": item, "quantity": 1}]}
    if what == "buyer":
        gone = market.post(carriage.buyer, f"{order_id}/items/{item}/cancel", {"quantity": 1})
    else:
        gone = carriage.do(parcel_id, what, {**some, **({"reasonCode": "damaged"} if what == "cancel" else {})})
    assert gone.status_code == 200, gone.text
    assert await labels.settle_labels(ctx, NOW) == 1

    sold = [(one["trackingNumber"], one["status"]) for one in sold_to(market, parcel_id)]
    assert sold == [(first["trackingNumber"], "cancelled")]
    again = carriage.label(parcel_id)
    assert (first["weightGrams"], again["weightGrams"]) == (1_000, 500)
    for other in carriage.parcels_of(order_id)[1:]:
        assert carriage.label(other)["weightGrams"] == 500


async def test_a_parcel_whose_label_is_being_bought_is_not_split(
    ctx: Context, market: Market, carriage: Carriage, armed: Callable[[str], None]
) -> None:
    order_id, parcel_id = carriage.parcel()
    armed("shipping.after_buying")
    with pytest.raises(FailpointError):
        await labels.buy_label(ctx, *intent(parcel_id, carriage.seller))
    part = market.client.get(f"/api/v1/sellers/me/orders/{order_id}", headers=carriage.seller.headers).json()
    some = {"lines": [{"orderItemId": part["parcels"][0]["lines"][0]["orderItemId"], "quantity": 1}]}
    busy = problem(carriage.do(parcel_id, "split", some), 409, "label-exists")
    assert busy["labelStatus"] == "asked"
    problem(carriage.do(parcel_id, "cancel", {**some, "reasonCode": "damaged"}), 409, "label-exists")
    assert await labels.settle_labels(ctx, NOW) == 1

    assert carriage.do(parcel_id, "split", some).status_code == 200
    assert await labels.settle_labels(ctx, NOW) == 1

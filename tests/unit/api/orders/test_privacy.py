"""The table of who sees a buyer's data, in full."""

import pytest

from api.orders.queries.privacy import Field, Viewer, audited, may_see, render
from api.orders.states import ORDER_STATES

VIEWERS: tuple[Viewer, ...] = ("buyer", "seller", "carrier", "admin")
FIELDS: tuple[Field, ...] = ("shipping_address", "email", "return_address")


@pytest.mark.parametrize("status", ORDER_STATES)
@pytest.mark.parametrize("reason", [None, "a chargeback is disputed"])
def test_every_answer_of_the_table(status: str, reason: str | None) -> None:
    seen = {(viewer, field) for viewer in VIEWERS for field in FIELDS if may_see(viewer, field, status, reason)}

    expected: set[tuple[Viewer, Field]] = {
        *(("buyer", "shipping_address"), ("buyer", "email"), ("buyer", "return_address"))
    }
    if status in {"confirmed", "processing", "shipped"}:
        expected |= {("seller", "shipping_address")}
    if status in {"confirmed", "processing"}:
        expected |= {("carrier", "shipping_address")}
    if status in {"delivered", "return_requested", "return_approved", "refunded"}:
        expected |= {("carrier", "return_address")}
    if reason is not None:
        expected |= {("admin", "shipping_address"), ("admin", "email")}
    assert seen == expected


def test_what_is_written_down_and_what_the_page_says() -> None:
    assert (audited("admin"), audited("seller")) == (["shipping_address", "email"], [])
    assert "| email | always | never | never | with a reason |" in render()
    seen = "| shipping_address | always | while confirmed, processing, shipped | while confirmed, processing |"
    assert f"{seen} with a reason |" in render()

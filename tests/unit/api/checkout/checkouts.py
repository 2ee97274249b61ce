"""A checkout and its plan, made in memory."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from api.checkout.saga.lease import LeasedCheckout
from api.checkout.schemas import PlaceOrder, Plan, PlanLine
from api.kernel.actor import Actor
from api.orders.statements import Snapshot
from tests.harness.buying import ADDRESS


def id_of(number: int) -> UUID:
    return UUID(int=number)


PLAN = Plan(
    order_id=id_of(1),
    order_number="SK-2026-0001",
    payment_id=id_of(2),
    gateway="second",
    currency="USD",
    subtotal=Decimal("20.00"),
    tax=Decimal("1.60"),
    shipping=Decimal("4.99"),
    discount=Decimal("0.00"),
    total=Decimal("26.59"),
    address=ADDRESS,
    estimated_delivery=date(2026, 1, 7),
    from_cart=False,
    lines=[
        PlanLine(
            order_item_id=id_of(3),
            product_id=id_of(4),
            variant_id=id_of(5),
            seller_id=id_of(6),
            warehouse_id=id_of(7),
            quantity=2,
            unit_price=Decimal("10.00"),
            snapshot=Snapshot(
                title="A thing",
                sku="A-1",
                attributes={"color": "red"},
                image_url="/thing.png",
                list_price=Decimal("12.00"),
                tax_rate=Decimal("0.08"),
                tax_amount=Decimal("1.60"),
                tax_class="standard",
            ),
        )
    ],
)


def checkout_at(point: str, *, attempts: int = 1) -> LeasedCheckout:
    """A guest's checkout at `point`; it has a plan unless an earlier version left it before it was planned."""
    request = PlaceOrder.model_validate(
        {
            "shippingAddress": ADDRESS,
            "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_ok"},
            "email": "guest@example.com",
        }
    )
    actor = Actor("anonymous", session_id="a-session")
    plan = None if point == "started" else PLAN
    return LeasedCheckout(id_of(8), id_of(9), point, actor, "a-key", request, plan, age=0.0, attempts=attempts)

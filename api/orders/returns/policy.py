"""The refund policy, once: what a return gives back for which reason, and until when. Pure rules and two tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, get_args

from api.kernel.money import ZERO

ReasonCode = Literal[
    "damaged",
    "defective",
    "missing_parts",
    "wrong_item",
    "not_as_described",
    "arrived_late",
    "wrong_size",
    "no_longer_needed",
    "better_price",
    "ordered_by_mistake",
    "other",
]
# The reason of units that were cancelled before they were sent; nobody can choose it for a return.
CANCELLED = "cancelled"
# Why money goes back although nothing comes back. Units that the seller says are lost are paid for in full.
AdjustmentCode = Literal["goodwill", "price_adjustment", "lost_parcel"]
ADJUSTMENT_CODES: tuple[str, ...] = get_args(AdjustmentCode)
LOST_PARCEL: AdjustmentCode = "lost_parcel"
# What a cancelled line gives back of the cost of sending, once nothing of its order is sent; nobody can choose it.
NOTHING_SENT = "nothing_sent"
Payer = Literal["seller", "buyer"]
_SOME = Decimal("0.20")


@dataclass(frozen=True, slots=True)
class Policy:
    """What follows from one reason.

    `outbound`: the refund has the units' share of the shipping fee that the order paid. `return_shipping`: who pays for
    sending them back. `restock`: they can be sold again; otherwise they are written off. `most_fee`: the largest part
    of the goods that the seller may keep. `digital`: it is a reason for what was delivered online too, of which nothing
    is sent back or sold again.
    """

    outbound: bool
    return_shipping: Payer
    restock: bool
    most_fee: Decimal
    digital: bool = False


# The shop or the seller is at fault above, the buyer changed their mind below. `other` is a return without a code.
POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "damaged": Policy(outbound=True, return_shipping="seller", restock=False, most_fee=ZERO),
        "defective": Policy(outbound=True, return_shipping="seller", restock=False, most_fee=ZERO, digital=True),
        "missing_parts": Policy(outbound=True, return_shipping="seller", restock=False, most_fee=ZERO, digital=True),
        "wrong_item": Policy(outbound=True, return_shipping="seller", restock=True, most_fee=ZERO, digital=True),
        "not_as_described": Policy(outbound=True, return_shipping="seller", restock=True, most_fee=ZERO, digital=True),
        "arrived_late": Policy(outbound=True, return_shipping="seller", restock=True, most_fee=ZERO),
        "wrong_size": Policy(outbound=False, return_shipping="buyer", restock=True, most_fee=ZERO),
        "no_longer_needed": Policy(outbound=False, return_shipping="buyer", restock=True, most_fee=_SOME),
        "better_price": Policy(outbound=False, return_shipping="buyer", restock=True, most_fee=_SOME),
        "ordered_by_mistake": Policy(outbound=False, return_shipping="buyer", restock=True, most_fee=_SOME),
        "other": Policy(outbound=True, return_shipping="buyer", restock=True, most_fee=ZERO),
    }
)
# Days from delivery, by the longest path of a category that the product was in when it was bought.
WINDOW_DAYS = 30
WINDOWS: Mapping[str, int] = MappingProxyType(
    {"/Baby & Kids": 90, "/Beauty": 14, "/Clothing": 60, "/Grocery": 7, "/Jewelry": 45, "/Outdoors": 60}
)


def window_days(category_path: str) -> int:
    """How many days after delivery a product of this category may be returned; an order's line keeps it."""
    found = [path for path in WINDOWS if category_path == path or category_path.startswith(f"{path}/")]
    return WINDOWS[max(found, key=len)] if found else WINDOW_DAYS


def closes_at(delivered_at: datetime, days: int) -> datetime:
    """When the window of a line closes."""
    return delivered_at + timedelta(days=days)


def reason_code_of(code: str | None, comment: str | None) -> str:
    """The code of a reason: as chosen, or a comment that is a code; `other` for any other comment."""
    if code is not None:
        return code
    words = (comment or "").strip().lower().replace(" ", "_")
    return words if words in POLICIES else "other"


def has_label(reason_code: str) -> bool:
    """Whether an approved return of what was sent gets a carrier's label: when its seller pays for sending it back. Who
    pays for that themselves chooses how they are sent."""
    return reason_code in POLICIES and POLICIES[reason_code].return_shipping == "seller"


def rma_number(return_id: object) -> str:
    """The number that the buyer writes on the parcel: one per return, from its id."""
    return f"RMA-{str(return_id).replace('-', '')[-12:].upper()}"

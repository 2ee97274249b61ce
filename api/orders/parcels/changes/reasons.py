"""Why a seller does not send what was bought, and what follows: one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

SellerReason = Literal["out_of_stock", "damaged", "wrong_price", "cannot_deliver_there", "buyer_asked", "other"]


@dataclass(frozen=True, slots=True)
class SellerPolicy:
    """`restock`: the units are there and can be sold again. `words`: what the buyer's mail says after "because"."""

    restock: bool
    words: str | None


# Whatever the reason, the buyer gets the units' share of the shipping fee too.
SELLER_POLICIES: Mapping[SellerReason, SellerPolicy] = MappingProxyType(
    {
        "out_of_stock": SellerPolicy(restock=False, words="it is out of stock"),
        "damaged": SellerPolicy(restock=False, words="it was damaged"),
        "wrong_price": SellerPolicy(restock=True, words="its price was wrong"),
        "cannot_deliver_there": SellerPolicy(restock=True, words="it cannot be delivered to your address"),
        "buyer_asked": SellerPolicy(restock=True, words="you asked for it"),
        "other": SellerPolicy(restock=True, words=None),
    }
)
# The reason code of units that their seller cancelled; nobody can choose it for a return.
CANCELLED_BY_SELLER = "cancelled_by_seller"

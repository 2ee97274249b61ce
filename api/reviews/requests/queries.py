"""What the mails that ask for reviews say; for the relay, which acts for nobody."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from api.kernel.db import ReadTx
from api.reviews.models import ReviewRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """A buyer who is asked about a product."""

    request_id: UUID
    order_item_id: UUID
    product_id: UUID
    user_id: UUID | None


_ASKED = select(*(getattr(ReviewRequest, name) for name in Asked.__slots__)).where(
    ReviewRequest.request_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
)


async def asked_by(tx: ReadTx, requests: Collection[UUID]) -> list[Asked]:
    return await tx.all_as(Asked, _ASKED, {"ids": list(requests)})

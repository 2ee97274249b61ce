"""Opening a store, and what its seller says of it."""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, Numeric, Uuid, bindparam, column, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.dml import ReturningUpdate

from api.delivery.addresses import check
from api.kernel import outbox
from api.kernel.actor import Actor, require_administrator
from api.kernel.context import Context
from api.kernel.db import Tx
from api.sellers.errors import SellerNotFound
from api.sellers.events import AGGREGATE, CHANGED, RATED, VERIFIED
from api.sellers.models import Seller, SellerProfile
from api.sellers.queries import require_seller
from api.sellers.schemas import StoreIn, TraderData

# The country of a store until its verification.
DEFAULT_COUNTRY = "US"


async def open_store(
    tx: Tx, user_id: UUID, name: str, country: str = DEFAULT_COUNTRY, *, verified: bool = False
) -> None:
    """Insert the public profile of a seller account, without a rating."""
    await tx.execute(insert(Seller).values(seller_id=user_id, name=name, country=country, verified=verified))


async def verify_seller(ctx: Context, actor: Actor, seller_id: UUID) -> None:
    """Say that a seller is who they say they are; again changes nothing. The worker judges what waited for it.

    Raises: Forbidden; SellerNotFound.
    """
    require_administrator(actor)

    async def work(tx: Tx) -> None:
        await require_seller(tx, seller_id)
        own = (Seller.seller_id == seller_id, ~Seller.verified)
        changed = await tx.execute(update(Seller).where(*own).values(verified=True, updated_at=func.now()))
        if changed.rowcount:
            payload = {"sellerId": seller_id, "verifiedBy": actor.user_id}
            await outbox.emit(tx, AGGREGATE, seller_id, VERIFIED, payload)

    await ctx.db.run(work)


async def rate(ctx: Context, ratings: Mapping[UUID, Decimal]) -> None:
    """Set the rating that stores show, 0 for none; for the relay. It tells of those that had another."""
    given = {"sellers": list(ratings), "ratings": list(ratings.values())}

    async def work(tx: Tx) -> None:
        for row in await tx.all(_RATE, given):
            await outbox.emit(tx, AGGREGATE, row[0], RATED, {"sellerId": row[0]})

    await ctx.db.run(work)


def _rate() -> ReturningUpdate[tuple[UUID]]:
    lists = func.unnest(bindparam("sellers", type_=ARRAY(Uuid)), bindparam("ratings", type_=ARRAY(Numeric(3, 2))))
    given = lists.table_valued(column("seller_id", Uuid), column("rating", Numeric(3, 2))).render_derived("given")
    # In the order of their ids, as every lock of several rows.
    held = (
        select(Seller.seller_id, given.c.rating)
        .join(given, given.c.seller_id == Seller.seller_id)
        .where(Seller.rating != given.c.rating)
        .order_by(Seller.seller_id)
        .with_for_update(of=Seller)
        .cte("held")
    )
    rated = update(Seller).where(Seller.seller_id == held.c.seller_id)
    return rated.values(rating=held.c.rating, updated_at=func.now()).returning(Seller.seller_id)


_RATE = _rate()


async def describe_store(ctx: Context, actor: Actor, body: StoreIn) -> None:
    """Replace what the actor's store says of itself. Its country is that of the contact.

    Raises: SellerNotFound; AddressNotValid.
    """
    contact = None if body.contact is None else _checked(body.contact)
    profile = {
        "about": body.about,
        "policies": body.policies.model_dump(mode="json", by_alias=True),
        "trader": body.trader,
        "contact": contact,
        "safety_contact": body.safety_contact and body.safety_contact.model_dump(mode="json", by_alias=True),
        "updated_at": func.now(),
    }
    store = {"name": body.name, "updated_at": func.now()}
    if body.contact is not None:
        store["country"] = _country(body.contact)

    async def work(tx: Tx) -> None:
        changed = await tx.execute(update(Seller).where(Seller.seller_id == actor.user_id).values(store))
        if changed.rowcount == 0 or actor.user_id is None:
            raise SellerNotFound
        statement = upsert(SellerProfile).values(seller_id=actor.user_id, **profile)
        await tx.execute(statement.on_conflict_do_update(index_elements=["seller_id"], set_=profile))
        await outbox.emit(tx, AGGREGATE, actor.user_id, CHANGED, {"sellerId": actor.user_id})

    await ctx.db.run(work)


def _checked(contact: TraderData) -> dict[str, object]:
    """As it is stored: the address in its country's form."""
    sent = contact.model_dump(mode="json", by_alias=True)
    return {**sent, "address": check("/contact/address", sent["address"]).as_json()}


def _country(contact: TraderData) -> str:
    return check("/contact/address", contact.model_dump(mode="json", by_alias=True)["address"]).country

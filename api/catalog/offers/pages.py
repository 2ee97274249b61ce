"""A page of the offers of an article: which of them, and where the next one begins."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from api.catalog.offers.featured import Rank
from api.catalog.offers.queries import OfferOf
from api.catalog.offers.schemas import OfferList, OfferSort
from api.kernel.pagination import PageParams, pagination, place_of
from api.kernel.security import Keys


def page_of(keys: Keys, product_id: UUID, offers: Sequence[OfferOf], sort: OfferSort, page: PageParams) -> OfferList:
    """`offers`: all of them, the best first. A cursor continues behind the last offer's place, whatever has changed
    since. Raises: ValidationFailed when the cursor is not of this article and sort."""
    listing = f"offers:{product_id}:{sort}"
    placed = sorted(((_place(offer.ranked.rank, sort), offer) for offer in offers), key=lambda one: one[0])
    after = place_of(page, keys, listing, _read)
    rest = placed[page.offset :] if after is None else [one for one in placed if one[0] > after]
    shown = rest[: page.limit]
    following = shown[-1][0] if len(rest) > page.limit else None
    return OfferList(
        product_id=product_id,
        featured=next((offer.body for offer in offers if offer.ranked.featured), None),
        offers=[offer.body for _, offer in shown],
        pagination=pagination(page, keys, listing, len(placed), following),
    )


def _place(rank: Rank, sort: OfferSort) -> Rank:
    """By the total alone, what cannot be had is still behind the rest."""
    if sort == "featured":
        return rank
    return rank._replace(group=rank.group // 2, behind=Decimal(0), arrives=date.max, unrated=Decimal(0))


def _read(place: Sequence[str]) -> Rank:
    group, behind, total, arrives, unrated, product_id = place
    return Rank(
        int(group), Decimal(behind), Decimal(total), date.fromisoformat(arrives), Decimal(unrated), UUID(product_id)
    )

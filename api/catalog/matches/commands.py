"""Decide about offer matches. One administrator decides at a time, so what is joined is always known."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Uuid,
    any_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from api.catalog.matches.errors import MatchDecided, MatchNotFound
from api.catalog.matches.joining import joined
from api.catalog.matches.models import JoinedArticle, MatchDecision, OfferMatch
from api.catalog.matches.queries import UNKNOWN, Pair, match_of
from api.catalog.matches.schemas import MatchDecisionIn, OfferMatchBody, Verdict
from api.catalog.models import Product
from api.catalog.offers.events import JOINED, PARTED
from api.kernel.actor import Actor, require_administrator
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.kernel.outbox import emit

MATCH_LOCK = 7_305_843
_LOCK = select(func.pg_advisory_xact_lock(MATCH_LOCK))
_ARTICLES = bindparam("articles", type_=ARRAY(Uuid))
# A literal, so that the indexes of confirmed matches are used.
_CONFIRMED = OfferMatch.decision == literal_column("'confirmed'")


@dataclass(frozen=True, slots=True)
class _Match:
    """A match as it is before the decision."""

    decision: Verdict | None
    article_id: UUID | None
    other_article_id: UUID | None


def _reached() -> Select[tuple[UUID]]:
    """The articles that confirmed matches join with some, directly or through others, those among them."""
    start = select(func.unnest(_ARTICLES).label("article_id")).cte("reached", recursive=True)
    one, other = OfferMatch.article_id, OfferMatch.other_article_id
    neighbours = (
        select(case((one == start.c.article_id, other), else_=one))
        .select_from(start)
        .join(OfferMatch, or_(one == start.c.article_id, other == start.c.article_id))
        .where(_CONFIRMED)
    )
    return select(start.union(neighbours).c.article_id)


_REACHED = _reached()
_PAIRS = select(OfferMatch.article_id, OfferMatch.other_article_id).where(
    _CONFIRMED, OfferMatch.article_id == any_(_ARTICLES)
)


async def decide(ctx: Context, actor: Actor, pair: Pair, body: MatchDecisionIn) -> OfferMatchBody:
    """Say whether two products are one article. The same decision again changes nothing.

    Raises: Forbidden; MatchNotFound, also when one of the products was deleted; MatchDecided (409) when it was decided
    otherwise, which has to be undone first.
    """

    async def work(tx: Tx) -> OfferMatchBody:
        match = await _locked(tx, actor, pair)
        if match.decision is None:
            made = _Match(body.decision, None, None)
            if body.decision == "confirmed":
                made = _Match("confirmed", *await _articles_of(tx, pair))
            await _set(tx, pair, made)
            await _record(tx, actor, pair, body.decision, body.reason)
            await _join(tx, JOINED, made.article_id, made.other_article_id)
        elif match.decision != body.decision:
            raise MatchDecided("Undo the decision first.", extra={"decision": match.decision})
        return await match_of(tx, actor, pair)

    return await ctx.db.run(work)


async def undo(ctx: Context, actor: Actor, pair: Pair) -> OfferMatchBody:
    """Let a match wait again, as if nobody had decided it; an open one is left alone.

    Raises: Forbidden; MatchNotFound.
    """

    async def work(tx: Tx) -> OfferMatchBody:
        match = await _locked(tx, actor, pair)
        if match.decision is not None:
            await _set(tx, pair, _Match(None, None, None))
            await _record(tx, actor, pair, "undone", None)
            await _join(tx, PARTED, match.article_id, match.other_article_id)
        return await match_of(tx, actor, pair)

    return await ctx.db.run(work)


async def _locked(tx: Tx, actor: Actor, pair: Pair) -> _Match:
    require_administrator(actor)
    await tx.execute(_LOCK)
    columns = (OfferMatch.decision, OfferMatch.article_id, OfferMatch.other_article_id)
    match = await tx.first_as(_Match, select(*columns).where(*_is(pair)))
    if match is None:
        raise MatchNotFound(UNKNOWN)
    return match


async def _articles_of(tx: Tx, pair: Pair) -> tuple[UUID, UUID]:
    """What the products are; one that was none is its own from now on. They are locked, because a save may make them
    others."""
    living = (Product.product_id.in_(pair), Product.deleted_at.is_(None))
    locked = select(Product.product_id, Product.article_id).where(*living).order_by(Product.product_id)
    known = {row[0]: row[1] or row[0] for row in await tx.all(locked.with_for_update(key_share=True))}
    if len(known) < len(pair):
        raise MatchNotFound("One of the two products is deleted.")
    none_yet = update(Product).where(Product.product_id.in_(pair), Product.article_id.is_(None))
    await tx.execute(none_yet.values(article_id=Product.product_id))
    return known[pair.product_id], known[pair.other_product_id]


async def _set(tx: Tx, pair: Pair, match: _Match) -> None:
    values = {
        "decision": match.decision,
        "article_id": match.article_id,
        "other_article_id": match.other_article_id,
    }
    await tx.execute(update(OfferMatch).where(*_is(pair)).values(values))


async def _record(tx: Tx, actor: Actor, pair: Pair, decision: str, reason: str | None) -> None:
    values = {
        "decision_id": new_id(),
        "product_id": pair.product_id,
        "other_product_id": pair.other_product_id,
        "decision": decision,
        "decided_by": actor.user_id,
        "reason": reason,
    }
    await tx.execute(insert(MatchDecision).values(values))


async def _join(tx: Tx, event: str, *changed: UUID | None) -> None:
    """Say anew what is one with these articles, and that it has changed; nothing without any."""
    articles = [one for one in changed if one is not None]
    if not articles:
        return
    reached = [row[0] for row in await tx.all(_REACHED, {"articles": articles})]
    pairs = [(row[0], row[1]) for row in await tx.all(_PAIRS, {"articles": reached})]
    await tx.execute(delete(JoinedArticle).where(JoinedArticle.article_id == any_(_ARTICLES)), {"articles": reached})
    if rows := [{"article_id": one, "joined_id": least} for one, least in joined(pairs).items()]:
        await tx.execute(insert(JoinedArticle).values(rows))
    await emit(tx, "article", min(articles), event, {"articleIds": sorted(map(str, reached))})


def _is(pair: Pair) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (OfferMatch.product_id == pair.product_id, OfferMatch.other_product_id == pair.other_product_id)

"""Negative controls of reviews: the product with one of their guards removed."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from uuid import UUID

from sqlalchemy import String, bindparam, func, literal, select

from api.kernel.actor import Actor
from api.kernel.db import Query, ReadTx, Result, Tx, done
from api.orders.models import Order, OrderItem
from api.reviews import commands as reviews
from api.reviews.judging import filing
from api.reviews.judging import statements as filed
from api.reviews.models import ReviewVote
from api.reviews.moderation import commands as moderation
from api.reviews.moderation.queries import Verdict, case_of, ruling_of
from api.reviews.moderation.schemas import ReviewCase
from api.reviews.votes import commands as votes
from api.reviews.writing import commands as writing


def votes_without_a_lock() -> None:
    """Read a review's counts for a vote without locking it. A moment passes between what is read and what is
    written."""
    read = reviews.lock

    async def read_early(tx: Tx, review_id: UUID) -> reviews.Locked | None:
        review = await read(tx, review_id)
        await asyncio.sleep(0.3)
        return review

    patch.object(reviews, "_LOCKED", reviews.READ).start()
    patch.object(reviews, "lock", read_early).start()


def decisions_without_a_lock() -> None:
    """Read what was decided about a review without locking it. A second passes between what is read and what is
    written, so that administrators overlap on a busy machine as well."""
    read = ruling_of

    async def read_early(tx: ReadTx, review_id: UUID) -> Verdict | None:
        made = await read(tx, review_id)
        await asyncio.sleep(1)
        return made

    patch.object(reviews, "_LOCKED", reviews.READ).start()
    patch.object(moderation, "ruling_of", read_early).start()


def reviews_without_a_lock() -> None:
    """Read what a member has written without a lock. A second passes between what is read and what is written."""

    def received_late(actor: Actor, product_id: UUID) -> Query[None]:
        return done(select(func.pg_sleep(1)))

    patch.object(writing, "_LOCK", select(bindparam("name", type_=String))).start()
    patch.object(writing, "received_query", received_late).start()


def reviews_that_nothing_forbids() -> None:
    """Twice, without an end in an hour, and where a seller wants buyers only."""
    patch.object(writing, "_require_allowed", lambda *_, **__: None).start()


def sellers_who_review() -> None:
    """Review one's own product."""
    patch.object(writing, "_require_other", lambda *_: None).start()


def authors_who_vote() -> None:
    """Vote on one's own review, and on those of one's own product."""
    patch.object(votes, "_require_voter", lambda *_: None).start()


def _badges(*conditions: Any) -> None:  # Any: conditions on columns of several types
    received = select(Order.order_id).join(OrderItem, Order.order_id == OrderItem.order_id)

    def order(result: Result) -> UUID | None:
        found: UUID | None = result.rows[0][0] if result.rows else None
        return found

    def received_query(actor: Actor, product_id: UUID) -> Query[UUID | None]:
        asked = {"buyer": actor.user_id, "product": product_id}
        return Query(received.where(OrderItem.product_id == bindparam("product"), *conditions).limit(1), asked, order)

    patch.object(writing, "received_query", received_query).start()


def badges_of_orders() -> None:
    """A purchase is verified by an order, delivered or not."""
    _badges(Order.user_id == bindparam("buyer"))


def badges_of_anybody() -> None:
    """A purchase is verified by what was delivered, to whomever."""
    _badges(OrderItem.status == "delivered")


def decisions_that_are_made_again() -> None:
    """Decide whatever was decided before."""

    async def nothing(tx: ReadTx, review_id: UUID) -> None:
        return None

    patch.object(moderation, "ruling_of", nothing).start()


def decisions_about_what_is_there() -> None:
    """Decide about a version that was not seen."""
    patch.object(moderation, "_require_seen", lambda *_: None).start()


def appeals_again() -> None:
    """Appeal whether one has or not."""

    async def silent(tx: ReadTx, actor: Actor, review_id: UUID) -> ReviewCase:
        return (await case_of(tx, actor, review_id)).model_copy(update={"appeal": None})

    patch.object(moderation, "case_of", silent).start()


def edits_that_undo_a_rejection() -> None:
    """Judge an edit as if nobody had rejected the review."""
    judged = filing.judged
    patch.object(writing, "judged", lambda *asked, **how: judged(*asked, **{**how, "refused": False})).start()


def edits_that_leave_the_queue() -> None:
    """Take what was reported out of the queue, because its author edited it."""
    guard = "AND (CAST(:leaves_by AS uuid) IS NOT NULL OR q.cause <> 'reported')"
    leave = filed.leave_part

    def leave_part(review_id: UUID, decided_by: UUID | None) -> Any:
        part = leave(review_id, decided_by)
        if guard not in part.ctes:
            raise ValueError(f"the statement has no guard {guard!r}: {part.ctes}")
        return replace(part, ctes=part.ctes.replace(guard, ""), values={"leaves_review": review_id})

    patch.object(filing, "leave_part", leave_part).start()


def votes_that_come_back() -> None:
    """A vote that was set aside counts when its voter changes it."""
    patch.object(reviews, "_VOTE", select(ReviewVote.helpful, literal("counted"))).start()


OF_REVIEWS: dict[str, Callable[[], None]] = {
    "votes without a lock": votes_without_a_lock,
    "decisions without a lock": decisions_without_a_lock,
    "reviews without a lock": reviews_without_a_lock,
    "reviews that nothing forbids": reviews_that_nothing_forbids,
    "sellers who review": sellers_who_review,
    "authors who vote": authors_who_vote,
    "badges of orders": badges_of_orders,
    "badges of anybody": badges_of_anybody,
    "decisions that are made again": decisions_that_are_made_again,
    "decisions about what is there": decisions_about_what_is_there,
    "appeals again": appeals_again,
    "edits that undo a rejection": edits_that_undo_a_rejection,
    "edits that leave the queue": edits_that_leave_the_queue,
    "votes that come back": votes_that_come_back,
}

"""Reads of questions and answers, for whoever asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Integer, Select, Uuid, and_, any_, bindparam, exists, func, select

from api.identity.queries import ANONYMOUS_AUTHOR, names_of, public_name
from api.kernel.actor import Actor, require_administrator
from api.kernel.db import ReadTx, all_as
from api.kernel.pagination import PageParams, Pagination
from api.sellers.queries import stores_of
from api.storefront.questions.errors import QuestionNotFound
from api.storefront.questions.models import QuestionPost, QuestionReport, QuestionVote
from api.storefront.questions.schemas import Answer, AnswerList, Question, QuestionList, Report, ReportList, Role

FIRST_ANSWERS = 3


@dataclass(frozen=True, slots=True)
class _Post:
    """A row of `question_posts` as its reader sees it."""

    post_id: UUID
    product_id: UUID
    question_id: UUID | None
    user_id: UUID
    role: Role
    text: str
    votes: int
    answers: int
    created_at: datetime
    edited_at: datetime | None
    mine: bool
    voted: bool


_VIEWER = bindparam("viewer", type_=Uuid)
SHOWN = QuestionPost.removed_at.is_(None)
_COLUMNS = (
    QuestionPost.post_id,
    QuestionPost.product_id,
    QuestionPost.question_id,
    QuestionPost.user_id,
    QuestionPost.role,
    QuestionPost.text,
    QuestionPost.votes,
    QuestionPost.answers,
    QuestionPost.created_at,
    QuestionPost.edited_at,
    func.coalesce(QuestionPost.user_id == _VIEWER, False).label("mine"),
    exists().where(QuestionVote.post_id == QuestionPost.post_id, QuestionVote.user_id == _VIEWER).label("voted"),
)
_OF_SELLER_FIRST = ((QuestionPost.role == "seller").desc(), QuestionPost.votes.desc(), QuestionPost.post_id)
_OF_PRODUCT = and_(QuestionPost.product_id == bindparam("product_id"), QuestionPost.question_id.is_(None), SHOWN)
_TO_QUESTION = and_(QuestionPost.question_id == bindparam("question_id"), SHOWN)


def _page(condition: ColumnElement[bool], *order: Any) -> Select[Any]:  # Any: columns of several types
    return (
        select(*_COLUMNS)
        .where(condition)
        .order_by(*order)
        .limit(bindparam("take", type_=Integer))
        .offset(bindparam("skip", type_=Integer))
    )


_NEWEST = _page(_OF_PRODUCT, QuestionPost.post_id.desc())
_MOST_VOTES = _page(_OF_PRODUCT, QuestionPost.votes.desc(), QuestionPost.post_id.desc())
_ANSWERS = _page(_TO_QUESTION, *_OF_SELLER_FIRST)
_ONE = select(*_COLUMNS).where(QuestionPost.post_id == bindparam("post_id"), SHOWN)
_COUNT = select(func.count()).where(_OF_PRODUCT)


def _first_answers() -> Select[Any]:  # Any: the columns of a _Post
    place = func.row_number().over(partition_by=QuestionPost.question_id, order_by=_OF_SELLER_FIRST).label("place")
    to = QuestionPost.question_id == any_(bindparam("questions", type_=ARRAY(Uuid)))
    ranked = select(*_COLUMNS, place).where(to, SHOWN).subquery()
    columns = [column for column in ranked.c if column.key != "place"]
    return select(*columns).where(ranked.c.place <= FIRST_ANSWERS).order_by(ranked.c.question_id, ranked.c.place)


_FIRST = _first_answers()
_REPORTS = (
    select(
        QuestionPost.post_id,
        QuestionPost.product_id,
        QuestionPost.text,
        QuestionReport.reason,
        QuestionReport.comment,
        QuestionReport.created_at,
    )
    .join(QuestionPost, QuestionPost.post_id == QuestionReport.post_id)
    .where(SHOWN)
    .order_by(QuestionReport.created_at, QuestionReport.post_id)
    .limit(bindparam("take", type_=Integer))
    .offset(bindparam("skip", type_=Integer))
)


async def questions_of(tx: ReadTx, actor: Actor, product_id: UUID, page: PageParams, *, newest: bool) -> QuestionList:
    """A product's questions, those with most votes first or the newest, each with its first answers."""
    asked = {"viewer": actor.user_id, "product_id": product_id, "take": page.limit + 1, "skip": page.offset}
    posts = await tx.all_as(_Post, _NEWEST if newest else _MOST_VOTES, asked)
    total: int = await tx.scalar(_COUNT, {"product_id": product_id})
    return QuestionList(
        questions=await _questions(tx, actor, posts[: page.limit]),
        pagination=_pagination(page, total, more=len(posts) > page.limit),
    )


async def question_of(tx: ReadTx, actor: Actor, question_id: UUID) -> Question:
    """Raises: QuestionNotFound."""
    post = await tx.first_as(_Post, _ONE, {"viewer": actor.user_id, "post_id": question_id})
    if post is None or post.question_id is not None:
        raise QuestionNotFound
    return (await _questions(tx, actor, [post]))[0]


async def answers_of(tx: ReadTx, actor: Actor, question_id: UUID, page: PageParams) -> AnswerList:
    """All answers to a question, the seller's first, then by votes. Raises: QuestionNotFound."""
    question = await question_of(tx, actor, question_id)
    asked = {"viewer": actor.user_id, "question_id": question_id, "take": page.limit + 1, "skip": page.offset}
    posts = await tx.all_as(_Post, _ANSWERS, asked)
    authors = await _authors(tx, posts)
    return AnswerList(
        question_id=question_id,
        answers=[_answer(post, authors) for post in posts[: page.limit]],
        pagination=_pagination(page, question.answer_count, more=len(posts) > page.limit),
    )


async def reports(tx: ReadTx, actor: Actor, page: PageParams) -> ReportList:
    """What members reported and nobody has removed, the oldest first. Raises: Forbidden."""
    require_administrator(actor)
    found = await tx.all_as(Report, _REPORTS, {"take": page.limit + 1, "skip": page.offset})
    return ReportList(reports=found[: page.limit], pagination=_pagination(page, None, more=len(found) > page.limit))


async def _questions(tx: ReadTx, actor: Actor, posts: Sequence[_Post]) -> list[Question]:
    asked = {"viewer": actor.user_id, "questions": [post.post_id for post in posts]}
    answers = (await tx.fetch(all_as(_Post, _FIRST, asked))) if posts else []
    authors = await _authors(tx, [*posts, *answers])
    return [
        Question(
            question_id=post.post_id,
            product_id=post.product_id,
            text=post.text,
            author=authors[post.user_id, post.role],
            votes=post.votes,
            voted=post.voted,
            mine=post.mine,
            created_at=post.created_at,
            edited_at=post.edited_at,
            answer_count=post.answers,
            answers=[_answer(one, authors) for one in answers if one.question_id == post.post_id],
        )
        for post in posts
    ]


def _answer(post: _Post, authors: dict[tuple[UUID, Role], str]) -> Answer:
    return Answer(
        answer_id=post.post_id,
        text=post.text,
        author=authors[post.user_id, post.role],
        role=post.role,
        votes=post.votes,
        voted=post.voted,
        mine=post.mine,
        created_at=post.created_at,
        edited_at=post.edited_at,
    )


async def _authors(tx: ReadTx, posts: Sequence[_Post]) -> dict[tuple[UUID, Role], str]:
    """What the public calls the author of each post: a store by its name, anybody else by theirs."""
    people = {post.user_id for post in posts if post.role != "seller"}
    sellers = {post.user_id for post in posts if post.role == "seller"}
    names = await names_of(tx, people) if people else {}
    stores = await stores_of(tx, sellers) if sellers else {}
    return {
        (post.user_id, post.role): (
            (stores[post.user_id].name if post.user_id in stores else ANONYMOUS_AUTHOR)
            if post.role == "seller"
            else public_name(names.get(post.user_id, ""))
        )
        for post in posts
    }


def _pagination(page: PageParams, total: int | None, *, more: bool) -> Pagination:
    return Pagination(page=page.page, limit=page.limit, total=total, has_more=more, next_cursor=None)

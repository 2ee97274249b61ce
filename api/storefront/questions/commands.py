"""Ask, answer, edit, remove, vote and report. Whoever writes is signed in."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import String, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.catalog.queries.placement import placements_query
from api.catalog.queries.products import require_visible
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import TooManyRequests
from api.kernel.ids import new_id
from api.orders.queries.bought import has_bought
from api.storefront.questions.errors import OwnPost, PostNotFound, QuestionNotFound
from api.storefront.questions.models import QuestionPost, QuestionReport, QuestionVote
from api.storefront.questions.queries import SHOWN
from api.storefront.questions.schemas import ReportIn, Role

# What one member may write in an hour, reports included.
MOST_AN_HOUR = 30
HOUR = timedelta(hours=1)
_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name", type_=String), 0)))


@dataclass(frozen=True, slots=True)
class _Post:
    post_id: UUID
    product_id: UUID
    question_id: UUID | None
    user_id: UUID


_POST = (
    select(QuestionPost.post_id, QuestionPost.product_id, QuestionPost.question_id, QuestionPost.user_id)
    .where(QuestionPost.post_id == bindparam("post_id"), SHOWN)
    .with_for_update(key_share=True)
)
_WRITTEN = select(func.count()).where(
    QuestionPost.user_id == bindparam("user_id"), QuestionPost.created_at > func.now() - HOUR
)
_REPORTED = select(func.count()).where(
    QuestionReport.user_id == bindparam("user_id"), QuestionReport.created_at > func.now() - HOUR
)


async def ask(ctx: Context, actor: Actor, product_id: UUID, text: str) -> UUID:
    """The new question's id. Raises: ProductNotFound; TooManyRequests."""

    async def work(tx: Tx) -> UUID:
        await _require_patience(tx, actor)
        await require_visible(tx, actor, product_id)
        return await _write(tx, actor, product_id, None, text)

    return await ctx.db.run(work)


async def answer(ctx: Context, actor: Actor, question_id: UUID, text: str) -> UUID:
    """The new answer's id. Raises: QuestionNotFound; ProductNotFound, when it is not on sale; TooManyRequests."""

    async def work(tx: Tx) -> UUID:
        await _require_patience(tx, actor)
        question = await tx.first_as(_Post, _POST, {"post_id": question_id})
        if question is None or question.question_id is not None:
            raise QuestionNotFound
        await require_visible(tx, actor, question.product_id)
        answer_id = await _write(tx, actor, question.product_id, question_id, text)
        await _count(tx, question_id, 1)
        return answer_id

    return await ctx.db.run(work)


async def edit(ctx: Context, actor: Actor, post_id: UUID, text: str) -> None:
    """Change one's own words. Raises: PostNotFound, also for somebody else's."""
    own = (QuestionPost.post_id == post_id, QuestionPost.user_id == actor.user_id, SHOWN)

    async def work(tx: Tx) -> None:
        changed = await tx.execute(update(QuestionPost).where(*own).values(text=text, edited_at=func.now()))
        if changed.rowcount == 0:
            raise PostNotFound

    await ctx.db.run(work)


async def remove(ctx: Context, actor: Actor, post_id: UUID) -> None:
    """Take one's own post away, a question with its answers; an administrator may take any. Raises: PostNotFound."""

    mine = [] if actor.kind == "admin" else [QuestionPost.user_id == actor.user_id]
    gone = {"removed_at": func.now(), "answers": 0}
    taken = update(QuestionPost).where(QuestionPost.post_id == post_id, SHOWN, *mine).values(gone)

    async def work(tx: Tx) -> None:
        row = await tx.first(taken.returning(QuestionPost.question_id))
        if row is None:
            raise PostNotFound
        if row[0] is None:
            await tx.execute(update(QuestionPost).where(QuestionPost.question_id == post_id, SHOWN).values(gone))
        else:
            await _count(tx, row[0], -1)

    await ctx.db.run(work)


async def vote(ctx: Context, actor: Actor, post_id: UUID, *, helpful: bool) -> None:
    """Say that a post is helpful, or take that back; twice is once. Raises: PostNotFound; OwnPost."""

    async def work(tx: Tx) -> None:
        post = await _post(tx, post_id)
        if post.user_id == actor.user_id:
            raise OwnPost("Others say whether it is helpful.")
        row = {"post_id": post_id, "user_id": actor.user_id}
        if helpful:
            done = await tx.execute(upsert(QuestionVote).values(row).on_conflict_do_nothing())
        else:
            own = (QuestionVote.post_id == post_id, QuestionVote.user_id == actor.user_id)
            done = await tx.execute(delete(QuestionVote).where(*own))
        if done.rowcount:
            votes = QuestionPost.votes + (1 if helpful else -1)
            await tx.execute(update(QuestionPost).where(QuestionPost.post_id == post_id).values(votes=votes))

    await ctx.db.run(work)


async def report(ctx: Context, actor: Actor, post_id: UUID, body: ReportIn) -> None:
    """Tell the administrators of a post; a member's second report of it replaces the first.

    Raises: PostNotFound; OwnPost; TooManyRequests.
    """

    async def work(tx: Tx) -> None:
        await _require_patience(tx, actor)
        post = await _post(tx, post_id)
        if post.user_id == actor.user_id:
            raise OwnPost("Remove it instead.")
        said = {"reason": body.reason, "comment": body.comment}
        statement = upsert(QuestionReport).values(post_id=post_id, user_id=actor.user_id, **said)
        await tx.execute(statement.on_conflict_do_update(index_elements=["post_id", "user_id"], set_=said))

    await ctx.db.run(work)


async def _post(tx: Tx, post_id: UUID) -> _Post:
    post = await tx.first_as(_Post, _POST, {"post_id": post_id})
    if post is None:
        raise PostNotFound
    return post


async def _write(tx: Tx, actor: Actor, product_id: UUID, question_id: UUID | None, text: str) -> UUID:
    post_id = new_id()
    values = {
        "post_id": post_id,
        "product_id": product_id,
        "question_id": question_id,
        "user_id": actor.user_id,
        "role": await _role(tx, actor, product_id),
        "text": text,
    }
    await tx.execute(insert(QuestionPost).values(values))
    return post_id


async def _role(tx: Tx, actor: Actor, product_id: UUID) -> Role:
    """What the actor is to the product now."""
    placed = (await tx.fetch(placements_query([product_id]))).get(product_id)
    if placed is not None and placed.seller_id == actor.user_id:
        return "seller"
    return "buyer" if await has_bought(tx, actor, product_id) else "visitor"


async def _count(tx: Tx, question_id: UUID, change: int) -> None:
    changed = update(QuestionPost).where(QuestionPost.post_id == question_id, SHOWN)
    await tx.execute(changed.values(answers=QuestionPost.answers + change))


async def _require_patience(tx: Tx, actor: Actor) -> None:
    """Locks what the member writes: two requests at once cannot both be the last that is allowed."""
    await tx.execute(_LOCK, {"name": f"questions:{actor.user_id}"})
    mine = {"user_id": actor.user_id}
    written: int = await tx.scalar(_WRITTEN, mine) + await tx.scalar(_REPORTED, mine)
    if written >= MOST_AN_HOUR:
        raise TooManyRequests(f"A member writes at most {MOST_AN_HOUR} posts an hour.", retry_after=600)

"""Answer a review of one's own product: once, changed and taken back."""

from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.reviews.commands import lock_published
from api.reviews.errors import NotYourProduct
from api.reviews.models import ReviewAnswer


async def answer(ctx: Context, actor: Actor, review_id: UUID, text: str) -> bool:
    """Set the answer; returns whether it is the first. Raises: ReviewNotFound; NotYourProduct."""

    async def work(tx: Tx) -> bool:
        await _hold(tx, actor, review_id)
        before = await tx.scalar(select(ReviewAnswer.text).where(ReviewAnswer.review_id == review_id))
        if before == text:
            return False
        row = {"review_id": review_id, "seller_id": actor.user_id, "text": text}
        changed = {"text": text, "edited_at": func.now()}
        await tx.execute(
            upsert(ReviewAnswer).values(row).on_conflict_do_update(index_elements=["review_id"], set_=changed)
        )
        return before is None

    return await ctx.db.run(work)


async def withdraw(ctx: Context, actor: Actor, review_id: UUID) -> None:
    """Take the answer back; without one nothing happens. Raises: ReviewNotFound; NotYourProduct."""

    async def work(tx: Tx) -> None:
        await _hold(tx, actor, review_id)
        await tx.execute(delete(ReviewAnswer).where(ReviewAnswer.review_id == review_id))

    await ctx.db.run(work)


async def _hold(tx: Tx, actor: Actor, review_id: UUID) -> None:
    if (await lock_published(tx, review_id)).seller_id != actor.user_id:
        raise NotYourProduct("Its seller answers.")

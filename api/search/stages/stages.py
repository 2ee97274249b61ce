"""A search with its stages: the engine's first results in the order that meaning and the shopper's own history give.

A stage changes the order of the engine's first `weights.STAGED` results, never which results there are, how many, or
their counts; those with every word stay first. Pages are cut from that one order, so none shows a product of another;
a cursor continues the engine's order alone, so a page of stages gives none.
Without its switch a stage is not asked, and when serving does not answer in time the order is the engine's.
"""

import asyncio
from dataclasses import replace

from fastapi import Request

from api.events.stream import recent_products
from api.kernel import guests
from api.kernel.actor import ANONYMOUS, Actor
from api.kernel.auth import account_of
from api.kernel.context import Context
from api.kernel.errors import NotAuthenticated
from api.search import weights
from api.search.engine.index import Found, SearchIndex, SearchQuery
from api.search.stages.fusion import fused, order_of
from api.search.stages.scores import Asked, ScoresClient

# An answer in a shopper's own order is nobody else's.
PRIVATE = {"Cache-Control": "private, no-store"}


class Stages:
    """One per process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._semantic, self._personal = ctx.settings.search_semantic, ctx.settings.search_personal
        self._deadline = ctx.settings.search_stages_seconds
        self._client = ScoresClient(ctx)

    async def search(self, index: SearchIndex, query: SearchQuery, request: Request) -> tuple[Found, bool]:
        """What the engine finds, its first results in the order of the stages; whether the order is the caller's own.

        Raises: IndexNotReady.
        """
        reordered = query.offset < weights.STAGED and query.after is None
        applies = reordered and query.sort == "relevance" and not query.explain and bool(query.text.strip())
        if not applies or not (self._semantic or self._personal):
            return await index.search(query), False
        found = await index.search(replace(query, offset=0, limit=max(weights.STAGED, query.offset + query.limit)))
        order, own = list(range(len(found.hits))), False
        if len(found.hits) > 1:
            first, own = await self._order(found, query, request)
            order[: len(first)] = first
        shown = order[query.offset : query.offset + query.limit]
        hits, ids = ([part[place] for place in shown] for part in (found.hits, found.ids))
        return replace(found, hits=hits, ids=ids, scores=[found.scores[place] for place in shown], last=None), own

    async def _order(self, found: Found, query: SearchQuery, request: Request) -> tuple[list[int], bool]:
        """The places of the first results, best first; empty where nothing is known of them."""
        ids = found.ids[: weights.STAGED]
        text = (found.corrected or query.text) if self._semantic else ""
        asked = Asked(ids, text)
        try:
            async with asyncio.timeout(self._deadline):
                if self._personal:
                    asked = await self._for_shopper(asked, request)
                if not asked.text and not asked.user_id and not asked.recent:
                    return [], False
                scores = await self._client.of(asked)
        except TimeoutError:
            return [], False
        if scores is None or (scores.similarity is None and scores.affinity is None):
            return [], False
        relevance = found.scores[: len(ids)]
        order = order_of(fused(relevance, scores.similarity, scores.affinity), found.full)
        return order, scores.affinity is not None

    async def _for_shopper(self, asked: Asked, request: Request) -> Asked:
        """With the account that asks, and what it or the guest just looked at, unless they switched that off."""
        actor = await _shopper(request, self._ctx)
        recent = await recent_products(self._ctx.redis, actor)
        return replace(asked, user_id=str(actor.user_id) if actor.user_id else None, recent=recent)


async def _shopper(request: Request, ctx: Context) -> Actor:
    """Who asks. A search needs no account, so a token that is not valid is as none."""
    headers = request.headers
    given = (headers.get("x-session-id"), request.cookies.get(guests.SESSION_COOKIE))
    session = next((one for one in given if one and guests.is_issued(ctx.keys, one)), None)
    try:
        return replace(await account_of(request, ctx, headers.get("authorization")), session_id=session)
    except NotAuthenticated:
        return replace(ANONYMOUS, session_id=session)


def stages_of(request: Request) -> Stages:
    """The application's stages."""
    stages: Stages = request.app.state.search_stages
    return stages

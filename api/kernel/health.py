"""Liveness: the process answers. Readiness: its database answers. Redis is optional, and its state is only reported."""

from typing import Literal

import psycopg
from fastapi import APIRouter
from redis.exceptions import RedisError
from sqlalchemy import literal, select

from api.kernel.context import Ctx
from api.kernel.errors import Unavailable
from api.kernel.problems import responses
from api.kernel.schemas import Wire

router = APIRouter(prefix="/health", tags=["health"])
_ONE = select(literal(1))


class Live(Wire):
    status: Literal["live"] = "live"


class Ready(Wire):
    status: Literal["ready"] = "ready"
    redis: Literal["up", "down"]


@router.get("/live", operation_id="getLiveness", summary="The process answers")
async def live() -> Live:
    return Live()


@router.get("/ready", operation_id="getReadiness", summary="The process can serve", responses=responses(Unavailable))
async def ready(ctx: Ctx) -> Ready:
    try:
        async with ctx.db.read() as tx:
            await tx.scalar(_ONE)
    except psycopg.Error:
        raise Unavailable("The database does not answer.") from None
    return Ready(redis="up" if await _redis_answers(ctx) else "down")


async def _redis_answers(ctx: Ctx) -> bool:
    try:
        await ctx.redis.get("souk:health")
        return True
    except (RedisError, OSError):
        return False

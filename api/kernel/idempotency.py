"""Idempotency keys: a repeated request has one effect and one answer. The key, its effect and
the exact response bytes share a commit.

Rules: key and body as before -> the stored bytes; key with another body -> 422; still running -> 409 with
Retry-After; missing -> 400. Refusals before any effect (validation, not found) and 5xx are not stored, so the
request may be repeated with the same key.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated

import orjson
from fastapi import Depends, Header, Request, Response
from sqlalchemy import delete, func, or_, select, tuple_
from sqlalchemy.exc import DBAPIError

from api.kernel.auth import CurrentActor
from api.kernel.context import Context
from api.kernel.db import ReadTx, Tx, sqlstate
from api.kernel.errors import Conflict, MalformedRequest, Problem
from api.kernel.models import IdempotencyKey
from api.kernel.statement import OPEN_GATE, Part, compose

MAX_KEY = 255
LOCK_TIMEOUT = "55P03"


class IdempotencyKeyMissing(MalformedRequest):
    title, code = "Idempotency-Key is required", "idempotency-key-missing"


class IdempotencyKeyReused(Problem):
    status, title, code = 422, "This Idempotency-Key was used for another request", "idempotency-key-reused"


class RequestInFlight(Conflict):
    title, code = "The first request with this Idempotency-Key is still running", "request-in-flight"

    def __init__(self) -> None:
        super().__init__(
            "Ask again with the same key and body; the answer will be that of the first request.",
            headers={"Retry-After": "1"},
        )


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A key belongs to its actor; `request_hash` is SHA-256 over method, path and the body's canonical JSON."""

    actor_key: str
    key: str
    route: str
    request_hash: bytes

    @property
    def values(self) -> dict[str, object]:
        return {
            "key_actor": self.actor_key,
            "key_key": self.key,
            "key_route": self.route,
            "key_hash": self.request_hash,
        }


@dataclass(frozen=True, slots=True)
class Stored:
    """A response as it is sent and replayed."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    def response(self, *, replayed: bool = False) -> Response:
        headers = {**self.headers, "Idempotent-Replayed": "true"} if replayed else dict(self.headers)
        return Response(self.body, self.status, headers)


async def request_key(
    request: Request,
    actor: CurrentActor,
    idempotency_key: Annotated[
        str | None,
        Header(max_length=MAX_KEY, description="Yours, unique per intention; repeat it to repeat the request safely"),
    ] = None,
) -> RequestKey:
    """The key of this request. Raises: IdempotencyKeyMissing."""
    key = (idempotency_key or "").strip()
    if not key or not key.isprintable():
        raise IdempotencyKeyMissing(
            "Send an Idempotency-Key header: 1 to 255 printable characters, a new one per intention."
        )
    route = f"{request.method} {request.url.path}"
    digest = hashlib.sha256(route.encode() + b"\n" + _canonical(await request.body())).digest()
    return RequestKey(actor.key, key, route[:200], digest)


RequiredKey = Annotated[RequestKey, Depends(request_key)]

# `claim` yields a row for the first request only; a concurrent one waits here until the first commits, then finds the
# row.
_CLAIM = """claim AS (
    INSERT INTO idempotency_keys (actor_key, key, route, request_hash, status, locked_until)
    VALUES (:key_actor, :key_key, :key_route, :key_hash, 'in_progress', now() + make_interval(secs => :key_lease))
    ON CONFLICT (actor_key, key) DO NOTHING RETURNING actor_key)"""
_FINISH = """finished AS (
    UPDATE idempotency_keys
    SET status = 'done', response_status = :answer_status, response_headers = CAST(:answer_headers AS jsonb),
        response_body = :answer_body, locked_until = now()
    FROM gate WHERE actor_key = :key_actor AND key = :key_key AND status = 'in_progress' RETURNING 1)"""
_FORGET = """forgotten AS (
    DELETE FROM idempotency_keys USING gate WHERE actor_key = :key_actor AND key = :key_key AND status = 'in_progress'
    RETURNING 1)"""
_FIND = select(
    IdempotencyKey.request_hash,
    IdempotencyKey.status,
    IdempotencyKey.response_status,
    IdempotencyKey.response_headers,
    IdempotencyKey.response_body,
)
REAPED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class _Kept:
    """The row of a key: it has the response when `status` is `done`."""

    request_hash: bytes
    status: str
    response_status: int | None
    response_headers: dict[str, str] | None
    response_body: bytes | None


def claim_part(key: RequestKey, lease_seconds: float) -> Part:
    """Insert the key as running; CTE `claim` has a row when this request is the first."""
    return Part(
        _CLAIM, {**key.values, "key_lease": lease_seconds}, makes=("claim",), writes=frozenset({"idempotency_keys"})
    )


def finish_part(actor_key: str, key: str, answer: Stored) -> Part:
    """Store the answer, in the same commit as the last effect."""
    return Part(
        _FINISH,
        {"key_actor": actor_key, "key_key": key, **_answer_values(answer)},
        makes=("finished",),
        needs=("gate",),
        writes=frozenset({"idempotency_keys"}),
    )


def forget_part(actor_key: str, key: str) -> Part:
    """Free the key: nothing was done, so the request may be repeated with it."""
    return Part(
        _FORGET,
        {"key_actor": actor_key, "key_key": key},
        makes=("forgotten",),
        needs=("gate",),
        writes=frozenset({"idempotency_keys"}),
    )


async def find(tx: ReadTx, key: RequestKey) -> Stored | None:
    """The stored answer, None when the key is free. Raises: IdempotencyKeyReused, RequestInFlight."""
    own = (IdempotencyKey.actor_key == key.actor_key, IdempotencyKey.key == key.key)
    kept = await tx.first_as(_Kept, _FIND.where(*own))
    if kept is None:
        return None
    if kept.request_hash != key.request_hash:
        raise IdempotencyKeyReused(
            "Use a new key for a new request; this one belongs to a request with another body or address."
        )
    if kept.status != "done" or kept.response_status is None or kept.response_body is None:
        raise RequestInFlight
    return Stored(kept.response_status, kept.response_body, kept.response_headers or {})


async def run_once(ctx: Context, key: RequestKey, work: Callable[[Tx], Awaitable[Stored]]) -> Response:
    """Run `work` in one transaction with its key and answer; a repeat gets the stored
    bytes. `work` does database statements only.

    Raises: whatever `work` raises (then nothing is stored), IdempotencyKeyReused, RequestInFlight.
    """

    async def attempt(tx: Tx) -> tuple[Stored, bool]:
        claimed = await tx.first(*compose([claim_part(key, 0)], "1 FROM claim"))
        if claimed is None:
            known = await find(tx, key)
            if known is None:
                raise RequestInFlight
            return known, True
        answer = await work(tx)
        await tx.execute(*compose([OPEN_GATE, finish_part(key.actor_key, key.key, answer)], "1"))
        return answer, False

    try:
        answer, replayed = await ctx.db.run(attempt)
    except DBAPIError as error:
        if sqlstate(error) == LOCK_TIMEOUT:
            raise RequestInFlight from error
        raise
    return answer.response(replayed=replayed)


async def reap(ctx: Context) -> int:
    """Delete keys older than the retention time, at most REAPED_AT_ONCE; returns how many."""
    age = timedelta(seconds=ctx.settings.idempotency_retention_seconds)
    identity = (IdempotencyKey.actor_key, IdempotencyKey.key)
    old = (
        IdempotencyKey.created_at < func.now() - age,
        or_(IdempotencyKey.status == "done", IdempotencyKey.locked_until < func.now()),
    )
    over = select(*identity).where(*old).limit(REAPED_AT_ONCE)
    async with ctx.db.autocommit() as tx:
        return (await tx.execute(delete(IdempotencyKey).where(tuple_(*identity).in_(over)))).rowcount


def _answer_values(answer: Stored) -> dict[str, object]:
    return {
        "answer_status": answer.status,
        "answer_headers": orjson.dumps(dict(answer.headers)).decode(),
        "answer_body": answer.body,
    }


def _canonical(body: bytes) -> bytes:
    """The body that the key's hash covers.

    JSON is normalised, so spacing and member order do not matter; a body that is no JSON,
    or nested too deeply, is hashed as it is.
    """
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body

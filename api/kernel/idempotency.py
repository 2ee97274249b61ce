"""Idempotency keys: a repeated request has one effect and one answer. The key, its effect and
the exact response bytes share a commit.

Rules: key and body as before -> the stored bytes; key with another body -> 422; still running -> 409 with
Retry-After; missing -> 400. Refusals before any effect (validation, not found) and 5xx are not stored, so the
request may be repeated with the same key.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import orjson
import psycopg
from fastapi import Depends, Header, Request, Response
from sqlalchemy import bindparam, delete, func, or_, select, tuple_

from api.kernel.auth import CurrentActor
from api.kernel.context import Context
from api.kernel.db import ReadTx, Tx
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
# The same for the checkouts of one batch that are feasible; of two with one key the first has it.
_CLAIM_EACH = """keys_wanted AS MATERIALIZED (
    SELECT DISTINCT ON (k.actor_key, k.key) k.checkout_id, k.actor_key, k.key, k.route, k.request_hash
    FROM unnest(CAST(:key_checkouts AS uuid[]), CAST(:key_actors AS text[]), CAST(:key_keys AS text[]),
                CAST(:key_routes AS text[]), CAST(:key_hashes AS bytea[]))
         WITH ORDINALITY AS k(checkout_id, actor_key, key, route, request_hash, place)
    JOIN feasible USING (checkout_id) ORDER BY k.actor_key, k.key, k.place),
claim AS (
    INSERT INTO idempotency_keys (actor_key, key, route, request_hash, status, locked_until)
    SELECT k.actor_key, k.key, k.route, k.request_hash, 'in_progress', now() + make_interval(secs => :key_lease)
    FROM keys_wanted k
    ON CONFLICT (actor_key, key) DO NOTHING RETURNING actor_key, key),
claimed AS MATERIALIZED (SELECT k.checkout_id FROM keys_wanted k JOIN claim USING (actor_key, key))"""
_KEEP = """answered AS (
    INSERT INTO idempotency_keys (actor_key, key, route, request_hash, status, locked_until, response_status,
                                  response_headers, response_body)
    VALUES (:key_actor, :key_key, :key_route, :key_hash, 'done', now(), :answer_status,
            CAST(:answer_headers AS jsonb), :answer_body)
    ON CONFLICT (actor_key, key) DO NOTHING RETURNING actor_key)"""
_FINISH = """finished AS (
    UPDATE idempotency_keys k
    SET status = 'done', response_status = a.status, response_headers = CAST(a.headers AS jsonb),
        response_body = a.body, locked_until = now()
    FROM unnest(CAST(:answer_gates AS uuid[]), CAST(:answer_actors AS text[]), CAST(:answer_keys AS text[]),
                CAST(:answer_statuses AS int[]), CAST(:answer_headers AS text[]), CAST(:answer_bodies AS bytea[]))
         AS a(gate_id, actor_key, key, status, headers, body)
    JOIN gate ON gate.checkout_id IS NOT DISTINCT FROM a.gate_id
    WHERE k.actor_key = a.actor_key AND k.key = a.key AND k.status = 'in_progress' RETURNING 1)"""
_FORGET = """forgotten AS (
    DELETE FROM idempotency_keys USING gate WHERE actor_key = :key_actor AND key = :key_key AND status = 'in_progress'
    RETURNING 1)"""
_FOUND = """keys_found AS (
    SELECT a.place, k.request_hash, k.status, k.response_status, k.response_headers, k.response_body
    FROM unnest(CAST(:key_actors AS text[]), CAST(:key_keys AS text[])) WITH ORDINALITY AS a(actor_key, key, place)
    LEFT JOIN idempotency_keys k ON k.actor_key = a.actor_key AND k.key = a.key)"""
# The result of the statement composed with `keep_part`: whether the request was the first.
ANSWERED = "(SELECT count(*) FROM answered) AS first"
_FIND = select(
    IdempotencyKey.request_hash,
    IdempotencyKey.status,
    IdempotencyKey.response_status,
    IdempotencyKey.response_headers,
    IdempotencyKey.response_body,
).where(IdempotencyKey.actor_key == bindparam("key_actor"), IdempotencyKey.key == bindparam("key_key"))
REAPED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class KeptKey:
    """The row of a key: it has the response when `status` is `done`."""

    request_hash: bytes
    status: str
    response_status: int | None
    response_headers: dict[str, str] | None
    response_body: bytes | None

    def answer(self, key: RequestKey) -> Stored:
        """The stored answer. Raises: IdempotencyKeyReused, RequestInFlight."""
        if self.request_hash != key.request_hash:
            raise IdempotencyKeyReused(
                "Use a new key for a new request; this one belongs to a request with another body or address."
            )
        if self.status != "done" or self.response_status is None or self.response_body is None:
            raise RequestInFlight
        return Stored(self.response_status, self.response_body, self.response_headers or {})


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a running request. `gate_id`: the row of the statement's gate that lets it be stored, None for an
    open gate."""

    actor_key: str
    key: str
    stored: Stored
    gate_id: UUID | None = None


def claim_part(key: RequestKey, lease_seconds: float) -> Part:
    """Insert the key as running; CTE `claim` has a row when this request is the first."""
    return Part(
        _CLAIM, {**key.values, "key_lease": lease_seconds}, makes=("claim",), writes=frozenset({"idempotency_keys"})
    )


def claim_each_part(keys: Sequence[tuple[UUID, RequestKey]], lease_seconds: float) -> Part:
    """Insert the keys of the (checkout, key) that are feasible as running; CTE `claimed` has the checkouts whose
    requests are the first with theirs."""
    return Part(
        _CLAIM_EACH,
        {
            "key_checkouts": [checkout_id for checkout_id, _ in keys],
            "key_actors": [key.actor_key for _, key in keys],
            "key_keys": [key.key for _, key in keys],
            "key_routes": [key.route for _, key in keys],
            "key_hashes": [key.request_hash for _, key in keys],
            "key_lease": lease_seconds,
        },
        makes=("keys_wanted", "claim", "claimed"),
        needs=("feasible",),
        writes=frozenset({"idempotency_keys"}),
    )


def keep_part(key: RequestKey, answer: Stored) -> Part:
    """Insert the key together with the answer, for a request without any other effect; CTE `answered` has a row when
    it is the first."""
    values = {
        "answer_status": answer.status,
        "answer_headers": _headers(answer),
        "answer_body": answer.body,
    }
    return Part(_KEEP, {**key.values, **values}, makes=("answered",), writes=frozenset({"idempotency_keys"}))


def found_part(keys: Sequence[RequestKey]) -> Part:
    """Read the keys; CTE `keys_found` has the place of each, 1 for the first, and the columns of KeptKey, null when it
    is free."""
    values = {"key_actors": [key.actor_key for key in keys], "key_keys": [key.key for key in keys]}
    return Part(_FOUND, values, makes=("keys_found",))


def finish_part(answers: Sequence[Answer]) -> Part:
    """Store the answers, in the same commit as the last effects."""
    return Part(
        _FINISH,
        {
            "answer_gates": [answer.gate_id for answer in answers],
            "answer_actors": [answer.actor_key for answer in answers],
            "answer_keys": [answer.key for answer in answers],
            "answer_statuses": [answer.stored.status for answer in answers],
            "answer_headers": [_headers(answer.stored) for answer in answers],
            "answer_bodies": [answer.stored.body for answer in answers],
        },
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
    kept = await tx.first_as(KeptKey, _FIND, {"key_actor": key.actor_key, "key_key": key.key})
    return None if kept is None else kept.answer(key)


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
        await tx.execute(*compose([OPEN_GATE, finish_part([Answer(key.actor_key, key.key, answer)])], "1"))
        return answer, False

    try:
        answer, replayed = await ctx.db.run(attempt)
    except psycopg.Error as error:
        if error.sqlstate == LOCK_TIMEOUT:
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


def _headers(answer: Stored) -> str:
    return orjson.dumps(dict(answer.headers)).decode()


def _canonical(body: bytes) -> bytes:
    """The body that the key's hash covers.

    JSON is normalised, so spacing and member order do not matter; a body that is no JSON,
    or nested too deeply, is hashed as it is.
    """
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body

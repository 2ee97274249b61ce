"""Queue mails, deliver what is due, and forget what was delivered long ago."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    Executable,
    Integer,
    Interval,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    column,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from api.kernel import clock, failpoints
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.jobs import Bell
from api.kernel.logs import get_logger
from api.kernel.settings import Settings
from api.mail import mime, tokens
from api.mail.letters import KINDS, Letter, NoAddress, Unwritable, written
from api.mail.models import Mail
from api.mail.transports import Envelope, Folder, Outcome, Smtp, Transport

log = get_logger(__name__)

# A mail that is being delivered is taken up again by any worker after this.
LEASE_SECONDS = 120
BATCH = 25
# Ten seconds after the first failure, then twice as long each time, an hour at most: for two days.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, MAX_ATTEMPTS = 10, 3_600, 56
# It rings when mail was queued; what a worker elsewhere has queued is found with the next look.
QUEUED = Bell()
TOKEN = "token"  # noqa: S105 - the member of a row's data that names the token, not a token


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail that an event makes. `event_id` is the event's; `token`: the id of the mailed token in it, if any."""

    event_id: UUID
    kind: str
    recipient: str
    data: Mapping[str, Any]  # Any: JSON
    token: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Due:
    """A mail that this worker has taken."""

    mail_id: UUID
    kind: str
    recipient: str
    data: dict[str, Any]  # Any: JSON
    attempts: int
    created_at: datetime


async def queue(tx: Tx, mails: Sequence[NewMail]) -> None:
    """Insert the mails, each once however often its event is read."""
    if not mails:
        return
    rows = [
        {
            "mail_id": mail.event_id,
            "kind": mail.kind,
            "recipient": mail.recipient,
            "data": orjson.dumps({**mail.data, TOKEN: None if mail.token is None else str(mail.token)}).decode(),
            "priority": KINDS[mail.kind][1],
        }
        for mail in mails
    ]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}  # Any: values of columns
    await tx.execute(_QUEUE, columns)
    QUEUED.ring()


async def deliver_due(ctx: Context, transport: Transport | None = None) -> int:
    """Deliver at most BATCH mails; returns how many were taken.

    A process that dies in between leaves them to be delivered again: with the same Message-ID, to the same file.
    """
    values = {"most": BATCH, "lease": timedelta(seconds=LEASE_SECONDS)}
    due = await ctx.db.run_alone(lambda tx: tx.all_as(_Due, _TAKE, values))
    if not due:
        return 0
    envelopes, outcomes = _written(ctx, due)
    failpoints.hit("mail.before_delivery")
    outcomes += await asyncio.to_thread((transport or transport_of(ctx.settings)).deliver, envelopes)
    failpoints.hit("mail.after_delivery")
    await _store(ctx, due, outcomes)
    return len(due)


async def forget_old(ctx: Context, limit: int) -> int:
    """Delete at most `limit` mails that were delivered or given up long ago, and the oldest files of the folder."""
    age = timedelta(seconds=ctx.settings.mail_retention_seconds)
    async with ctx.db.autocommit() as tx:
        gone = (await tx.execute(_FORGET, {"age": age, "most": limit})).rowcount
    return gone + await asyncio.to_thread(_thin_out, ctx.settings, age)


def transport_of(settings: Settings) -> Transport:
    """The SMTP server of the settings, else the folder."""
    url = settings.mail_smtp_url
    return Folder(settings.home / "mail") if url is None else Smtp(url.get_secret_value())


def _written(ctx: Context, due: Sequence[_Due]) -> tuple[list[Envelope], list[Outcome]]:
    """The mails that could be written, and what became of the others."""
    envelopes, outcomes = [], []
    for mail in due:
        data = dict(mail.data)
        token_id = data.pop(TOKEN, None)
        token = None if token_id is None else tokens.token_of(ctx.keys, UUID(token_id))
        letter = Letter(mail.mail_id, mail.kind, mail.recipient, data, mail.created_at, token)
        try:
            content = written(letter, ctx.settings.mail_from)
        except (Unwritable, NoAddress) as error:
            outcomes.append(Outcome(mail.mail_id, "refused" if isinstance(error, NoAddress) else "later", str(error)))
            continue
        name = f"{mail.created_at:%Y%m%dT%H%M%SZ}-{mail.mail_id}.eml"
        sender = mime.sender(ctx.settings.mail_from).address
        envelopes.append(Envelope(mail.mail_id, sender, mail.recipient, name, content))
    return envelopes, outcomes


async def _store(ctx: Context, due: Sequence[_Due], outcomes: Sequence[Outcome]) -> None:
    """Mark what was delivered, and say of the rest why not and when it is tried again."""
    attempts = {mail.mail_id: mail.attempts for mail in due}
    rows = []
    for outcome in outcomes:
        tries = attempts[outcome.mail_id] + (outcome.result != "not tried")
        over = outcome.result == "refused" or tries >= MAX_ATTEMPTS
        status = "sent" if outcome.result == "sent" else "failed" if over else "queued"
        rows.append((outcome.mail_id, status, tries, _pause(tries), outcome.reason))
        if outcome.result != "sent":
            log.warning("a mail was not delivered", mail=str(outcome.mail_id), status=status, reason=outcome.reason)
    names = ("ids", "statuses", "tries", "pauses", "errors")
    values = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    await ctx.db.run_alone(lambda tx: tx.execute(_STORE, values))


def _pause(tries: int) -> int:
    """Seconds before the next try."""
    return min(FIRST_PAUSE_SECONDS << min(max(tries - 1, 0), 20), LONGEST_PAUSE_SECONDS)


def _thin_out(settings: Settings, age: timedelta) -> int:
    """Delete old files, and the oldest when there are more than the folder may hold; returns how many."""
    folder = settings.home / "mail"
    if not folder.is_dir():
        return 0
    files = sorted(folder.glob("*.eml"), reverse=True)
    oldest = (clock.now() - age).timestamp()
    extra = files[settings.mail_folder_limit :]
    extra += [file for file in files[: settings.mail_folder_limit] if file.stat().st_mtime < oldest]
    for file in extra:
        file.unlink(missing_ok=True)
    return len(extra)


def _queue() -> Executable:
    """Insert mails, given as columns, that are not there."""
    given = (Mail.mail_id, Mail.kind, Mail.recipient, Mail.priority)
    texts = [bindparam(one.key, type_=ARRAY(one.type)) for one in given]
    columns = [column(one.key, one.type) for one in given]
    lists = func.unnest(*texts, bindparam("data", type_=ARRAY(Text)))
    rows = lists.table_valued(*columns, column("data", Text)).render_derived("given")
    values = select(*(rows.c[one.key] for one in given), cast(rows.c.data, JSONB))
    return insert(Mail).from_select([*given, Mail.data], values).on_conflict_do_nothing(index_elements=[Mail.mail_id])


def _take() -> Executable:
    """Take what is due until the lease ends; two workers never take the same."""
    due = (
        select(Mail.mail_id)
        .where(Mail.status == "queued", Mail.next_attempt_at <= func.now())
        .order_by(Mail.priority, Mail.next_attempt_at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    until = func.now() + bindparam("lease", type_=Interval)
    taken = (Mail.mail_id, Mail.kind, Mail.recipient, Mail.data, Mail.attempts, Mail.created_at)
    return update(Mail).where(Mail.mail_id == due.c.mail_id).values(next_attempt_at=until).returning(*taken)


def _store_outcomes() -> Executable:
    columns = {"ids": Uuid, "statuses": Text, "tries": Integer, "pauses": Integer, "errors": Text}
    lists = func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, kind in columns.items()))
    got = lists.table_valued(*(column(name, kind) for name, kind in columns.items())).render_derived("got")
    sent = got.c.statuses == "sent"
    return (
        update(Mail)
        .where(Mail.mail_id == got.c.ids, Mail.status == "queued")
        .values(
            status=got.c.statuses,
            attempts=got.c.tries,
            last_error=got.c.errors,
            next_attempt_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, got.c.pauses),
            sent_at=case((sent, func.now())),
        )
    )


_QUEUE, _TAKE, _STORE = _queue(), _take(), _store_outcomes()
_OLD = (
    select(Mail.mail_id)
    .where(Mail.status != "queued", Mail.created_at < func.now() - bindparam("age", type_=Interval))
    .limit(bindparam("most", type_=Integer))
)
_FORGET = delete(Mail).where(Mail.mail_id.in_(_OLD))

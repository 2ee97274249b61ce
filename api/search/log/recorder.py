"""Each search becomes a behaviour event of the shop itself, after its answer.

A route only notes what it answered; who asked and what is to be masked is found out when the notes are sent, twice a
second. So an answer waits for nothing, and a process that is killed loses the notes of half a second at most.
"""

import asyncio
import contextlib
import unicodedata
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import cast
from uuid import UUID

from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from api.events import stream
from api.events.bots import is_bot
from api.events.commands import EventSink
from api.events.contacts import without_contacts
from api.kernel import clock, guests, metrics
from api.kernel.context import Context
from api.kernel.errors import NotAuthenticated
from api.kernel.ids import new_id

HEADER = "X-Search-Id"
SECONDS = 0.5
# More than a process answers in `SECONDS`, also while the stream and the spool are slow; further notes are refused.
MOST = 10_000
# Between so many notes other requests have their turn.
AT_ONCE = 50
SHOWN = 10
MAX_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class Answered:
    """What a search found. `hits` are SearchResultItems as JSON; `relaxed`: the words that were not required."""

    text: str
    total: int
    hits: Sequence[str]
    corrected: str | None
    relaxed: Sequence[str]
    sort: str
    filter_names: Sequence[str]
    page: int
    page_size: int
    language: str


@dataclass(frozen=True, slots=True)
class _Note:
    search_id: UUID
    answered: Answered
    at: datetime
    headers: Headers


class QueryLog:
    """One per process."""

    def __init__(self, ctx: Context, sink: EventSink) -> None:
        self._ctx, self._sink = ctx, sink
        self._notes: list[_Note] = []
        self._timer: asyncio.TimerHandle | None = None
        self._sends = asyncio.Lock()
        self._sending: set[asyncio.Task[None]] = set()
        self._users: dict[bytes, UUID | None] = {}

    def note(self, request: Request, answered: Answered) -> UUID:
        """Remember an answer; its id, under which clients name what became of its results."""
        search_id = new_id()
        if len(self._notes) >= MOST:
            metrics.BEHAVIOUR_EVENTS.labels("refused").inc()
            return search_id
        self._notes.append(_Note(search_id, answered, clock.now(), request.headers))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SECONDS, self._send)
        return search_id

    async def send(self, entry: stream.Entry) -> bool:
        """Send an entry of another kind; whether it was kept."""
        return await self._sink.send([entry], {}) == 1

    async def flush(self) -> None:
        """Send what was noted until now; what another call is sending has been sent then, too."""
        async with self._sends:
            notes, self._notes = self._notes, []
            for start in range(0, len(notes), AT_ONCE):
                await self._sink.send([self._entry(note) for note in notes[start : start + AT_ONCE]], {})

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, ctx: Context, sink: EventSink) -> AsyncIterator["QueryLog"]:
        """The log of a process; what it still holds at the end is sent."""
        log = cls(ctx, sink)
        try:
            yield log
        finally:
            if log._timer is not None:
                log._timer.cancel()
            await log.flush()

    def _send(self) -> None:
        self._timer = None
        task = asyncio.get_running_loop().create_task(self.flush())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _entry(self, note: _Note) -> stream.Entry:
        found, keys = note.answered, self._ctx.keys
        user = self._user_of(note.headers.get("authorization"))
        cookie = cookie_parser(note.headers.get("cookie", "")).get(guests.SESSION_COOKIE)
        named = (note.headers.get(guests.HEADER), cookie)
        session = next((one for one in named if one and guests.is_issued(keys, one)), None)
        moment = note.at.isoformat()
        fields = {
            "eventId": str(note.search_id),
            "origin": "server",
            "type": "search",
            "query": logged(found.text) or None,
            "userId": None if user is None else str(user),
            "sessionKey": None if session is None else stream.session_key(keys, session),
            "resultCount": str(found.total),
            "relaxed": logged(" ".join(found.relaxed)) or None,
            "corrected": logged(found.corrected) if found.corrected else None,
            "sort": found.sort,
            "filters": ",".join(sorted(found.filter_names)) or None,
            "page": str(found.page),
            "pageSize": str(found.page_size),
            "products": ",".join(map(_product_of, found.hits[:SHOWN])) or None,
            "language": found.language,
            "bot": "1" if _is_bot(note.headers.get("user-agent")) else None,
            "timeSource": "server",
            "occurredAt": moment,
            "receivedAt": moment,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _user_of(self, authorization: str | None) -> UUID | None:
        """Whose token it is; a token is verified once, and known by its digest."""
        if authorization is None:
            return None
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        digest = sha256(token.encode()).digest()
        if digest not in self._users:
            if len(self._users) >= MAX_TOKENS:
                self._users.clear()
            try:
                self._users[digest] = self._ctx.keys.read_access_token(token.strip()).user_id
            except NotAuthenticated:
                self._users[digest] = None
        return self._users[digest]


def logged(text: str) -> str:
    """A query as the log has it: composed characters, single spaces, and no contact of a person."""
    composed = text if text.isascii() else unicodedata.normalize("NFC", text)
    return without_contacts(" ".join(composed.replace("\0", " ").split()))


def log_of(request: Request) -> QueryLog:
    """The application's log."""
    return cast("QueryLog", request.app.state.query_log)


def _product_of(hit: str) -> str:
    return hit.partition('"productId":"')[2][:36]


_is_bot = lru_cache(maxsize=1_024)(is_bot)

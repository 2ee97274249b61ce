"""Whether an access token's session is still valid: suspension, logout and password
changes end it before the token expires."""

from collections import OrderedDict
from uuid import UUID

from api.identity import queries
from api.identity.errors import SessionEnded
from api.identity.queries import LiveAccount
from api.kernel import clock
from api.kernel.db import Database
from api.kernel.security import AccessClaims

# A revoked token may pass for this long in a process that has just read the
# version (the documented limit is 60 seconds), and so long a membership that has ended.
CACHE_SECONDS = 5.0
MAX_CACHED = 50_000


class SessionGuard:
    """One per process. Costs one primary-key read per user every five seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: OrderedDict[UUID, tuple[LiveAccount, float]] = OrderedDict()

    async def require_live(self, claims: AccessClaims) -> LiveAccount:
        """The account, as of the last read.

        Raises: SessionEnded (401) when it is gone or suspended, or its session version has moved on.
        """
        account, until = self._seen.get(claims.user_id, (None, 0.0))
        # A token with a newer version than the cached one was issued after the read: read again before refusing it.
        if account is None or until < clock.monotonic() or account.session_version < claims.session_version:
            account = await self._look_up(claims.user_id)
        if account.session_version != claims.session_version:
            raise SessionEnded("Sign in again.", headers={"WWW-Authenticate": "Bearer"})
        return account

    async def _look_up(self, user_id: UUID) -> LiveAccount:
        async with self._database.read() as tx:
            account = await queries.live_account(tx, user_id)
        if account is None:
            raise SessionEnded("Sign in again.", headers={"WWW-Authenticate": "Bearer"})
        self._seen[user_id] = (account, clock.monotonic() + CACHE_SECONDS)
        self._seen.move_to_end(user_id)
        if len(self._seen) > MAX_CACHED:
            self._seen.popitem(last=False)
        return account

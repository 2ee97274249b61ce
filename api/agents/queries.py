"""Reads of checkout sessions: a partner sees its own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from api.agents.errors import Refused
from api.agents.models import CheckoutSession
from api.agents.schemas import Content
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.idempotency import RequestKey


@dataclass(frozen=True, slots=True)
class Session:
    """The row of a session."""

    session_id: UUID
    partner: str
    guest_session: str
    status: str
    version: int
    attempt: int
    completing_key: str | None
    content: dict[str, Any]  # Any: JSON
    view: dict[str, Any]  # Any: JSON
    order_id: UUID | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime

    @property
    def wants(self) -> Content:
        # It was accepted once, maybe by an earlier version of the rules.
        return Content.model_validate(self.content, strict=False)

    @property
    def expired(self) -> bool:
        return self.status in {"open", "completing"} and self.expires_at <= clock.now()

    @property
    def buyer(self) -> Actor:
        """The guest for whom the agent buys."""
        return Actor(kind="anonymous", session_id=self.guest_session)

    @property
    def order_key(self) -> RequestKey:
        """The key under which this attempt places the order, whoever asks for it."""
        key = f"checkout-session:{self.session_id}:{self.attempt}"
        return RequestKey(self.buyer.key, key, "POST /checkout_sessions/complete", self.session_id.bytes * 2)


_ONE = select(
    CheckoutSession.session_id,
    CheckoutSession.partner,
    CheckoutSession.guest_session,
    CheckoutSession.status,
    CheckoutSession.version,
    CheckoutSession.attempt,
    CheckoutSession.completing_key,
    CheckoutSession.content,
    CheckoutSession.view,
    CheckoutSession.order_id,
    CheckoutSession.created_at,
    CheckoutSession.updated_at,
    CheckoutSession.expires_at,
).where(CheckoutSession.session_id == bindparam("session_id"), CheckoutSession.partner == bindparam("partner"))


async def session_of(tx: ReadTx, partner: str, session_id: str) -> Session:
    """The session. Raises: Refused, when there is none or it is another partner's."""
    try:
        wanted = UUID(session_id)
    except ValueError:
        wanted = None
    found = None if wanted is None else await tx.first_as(Session, _ONE, {"session_id": wanted, "partner": partner})
    if found is None:
        raise Refused(404, "not_found", "There is no such checkout session.")
    return found

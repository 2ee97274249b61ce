"""The caller of a request. Every query on an owned table takes an actor, so no order can be loaded without one."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from api.kernel.errors import Forbidden

ActorKind = Literal["anonymous", "customer", "seller", "admin", "service"]


@dataclass(frozen=True, slots=True)
class Actor:
    """`user_id` is set for signed-in users; `session_id` identifies a guest's cart and
    orders, and `new_session` says that it was issued for this very request;
    `service` is Souk's own workers."""

    kind: ActorKind
    user_id: UUID | None = None
    session_id: str | None = None
    new_session: bool = False
    # Of Prime, as of a few seconds ago at most.
    member: bool = False
    # The account's address, in small letters, as of the same moment.
    email: str | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> str:
        """A stable name for idempotency, rate limits and audit."""
        if self.user_id is not None:
            return f"user:{self.user_id}"
        return f"session:{self.session_id}" if self.session_id else self.kind

    @property
    def signed_in(self) -> bool:
        return self.user_id is not None


ANONYMOUS = Actor(kind="anonymous")
# The shop itself, when it finishes what an actor has begun: it may see every order.
SHOP = Actor(kind="service")


def require_administrator(actor: Actor) -> None:
    """Raises: Forbidden."""
    if actor.kind != "admin":
        raise Forbidden("Only administrators may do this.")

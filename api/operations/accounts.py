"""`python -m api.operations.accounts`: people to try the shop as, with generated passwords, as JSON on stdout.

{"shopper", "shopperWithHistory" (when history is loaded), "seller", "admin"} -> {"userId", "email", "password",
"name"}. The seller is the one who sold most, the shopper with history a customer with many orders; both are people of
the loaded set who get an address and a password. While SOUK_HOME/demo-accounts.json exists it is the answer; without it
everyone gets a new password.
"""

import asyncio
import json
import secrets
import sys
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError

from api.identity.provision import account_with
from api.kernel.db import Database
from api.kernel.environment import InvalidSettings
from api.kernel.settings import Settings, load_settings

FILE = "demo-accounts.json"
DOMAIN = "souk.example"
_BEST_SELLER = text(
    "SELECT s.seller_id AS user_id, s.name FROM sellers s JOIN order_items i ON i.seller_id = s.seller_id JOIN orders o"
    " USING (order_id) WHERE o.status <> 'cancelled' GROUP BY s.seller_id ORDER BY sum(i.subtotal) DESC, s.seller_id"
    " LIMIT 1"
)
# Many orders, but a person's and not a wholesaler's.
_REGULAR = text(
    "SELECT u.user_id, u.name FROM users u JOIN orders o USING (user_id) WHERE u.user_type = 'customer' AND o.status <>"
    " 'cancelled' GROUP BY u.user_id HAVING count(*) <= 25 ORDER BY count(*) DESC, max(o.created_at) DESC, u.user_id"
    " LIMIT 1"
)
_TAKEN = text("SELECT u.user_id, u.name FROM users u WHERE u.email = :email")


@dataclass(frozen=True, slots=True)
class Role:
    """One account of the demo; `history` finds the loaded person who plays it, and it is left out when `optional` and
    nobody is found."""

    key: str
    local_part: str
    name: str
    user_type: str
    history: Any = None  # Any: a text clause; None means somebody new
    optional: bool = False


ROLES = (
    Role("shopper", "shopper", "Sam Shopper", "customer"),
    Role("shopperWithHistory", "regular", "Robin Regular", "customer", _REGULAR, optional=True),
    Role("seller", "seller", "Sol Seller", "seller", _BEST_SELLER),
    Role("admin", "admin", "Ada Admin", "admin"),
)


async def demo_accounts(settings: Settings) -> dict[str, dict[str, str]]:
    """Create or renew every account. Raises: DBAPIError when the database does not answer."""
    db = Database(settings.model_copy(update={"db_statement_timeout_ms": 60_000}))
    try:
        made = {role.key: await _account(db, role) for role in ROLES}
        return {key: account for key, account in made.items() if account is not None}
    finally:
        await db.close()


async def _account(db: Database, role: Role) -> dict[str, str] | None:
    email = f"{role.local_part}@{DOMAIN}"
    async with db.read() as read:
        person: Row[Any] | None = await read.first(_TAKEN, {"email": email})  # Any: user_id, name
        if person is None and role.history is not None:
            person = await read.first(role.history)
    if person is None and role.optional:
        return None
    user_id: UUID | None = person.user_id if person else None
    name: str = person.name if person else role.name
    password = secrets.token_urlsafe(15)
    known = await account_with(db, email=email, name=name, user_type=role.user_type, password=password, user_id=user_id)
    return {"userId": str(known), "email": email, "password": password, "name": name}


def main() -> int:
    """Exit 0 with the JSON on stdout, 2 with a sentence on stderr."""
    try:
        settings = load_settings()
        kept = settings.home / FILE
        accounts = (
            json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else asyncio.run(demo_accounts(settings))
        )
    except (InvalidSettings, DBAPIError, ValueError) as error:
        sys.stderr.write(f"accounts: {str(error).splitlines()[0]}\n")
        return 2
    sys.stdout.write(json.dumps(accounts, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

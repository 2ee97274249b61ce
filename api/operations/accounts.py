"""`python -m api.operations.accounts`: demo accounts with generated passwords, as JSON on stdout.

{"shopper", "shopperWithHistory" (when history is loaded), "seller", "admin"} -> {"userId", "email", "password",
"name"}. The seller is the one with the most sales; the shopper with history is a customer with many orders. Both are
users of the loaded set who get an e-mail address and a password. If SOUK_HOME/demo-accounts.json exists, its content is
printed; otherwise every account gets a new password.
"""

import asyncio
import json
import secrets
import sys
from dataclasses import dataclass
from uuid import UUID

import psycopg
from sqlalchemy import Select, func, select

from api.identity.models import User
from api.identity.provision import account_with
from api.kernel.db import Database
from api.kernel.environment import InvalidSettings
from api.kernel.settings import Settings, load_settings
from api.orders.models import Order, OrderItem
from api.sellers.models import Seller

FILE = "demo-accounts.json"
DOMAIN = "souk.example"
_COUNTED = Order.status != "cancelled"
_BEST_SELLER = (
    select(Seller.seller_id, Seller.name)
    .join(OrderItem, OrderItem.seller_id == Seller.seller_id)
    .join(Order, Order.order_id == OrderItem.order_id)
    .where(_COUNTED)
    .group_by(Seller.seller_id)
    .order_by(func.sum(OrderItem.quantity).desc(), Seller.seller_id)
    .limit(1)
)
# Many orders, but not as many as a wholesaler has.
_REGULAR = (
    select(User.user_id, User.name)
    .join(Order, Order.user_id == User.user_id)
    .where(User.user_type == "customer", _COUNTED)
    .group_by(User.user_id)
    .having(func.count() <= 25)
    .order_by(func.count().desc(), func.max(Order.created_at).desc(), User.user_id)
    .limit(1)
)
Person = tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class Role:
    """One account of the demo; `history` finds the user of the loaded set for it; an
    `optional` role without such a user is left out."""

    key: str
    local_part: str
    name: str
    user_type: str
    history: Select[Person] | None = None
    optional: bool = False


ROLES = (
    Role("shopper", "shopper", "Sam Shopper", "customer"),
    Role("shopperWithHistory", "regular", "Robin Regular", "customer", _REGULAR, optional=True),
    Role("seller", "seller", "Sol Seller", "seller", _BEST_SELLER),
    Role("admin", "admin", "Ada Admin", "admin"),
)


async def demo_accounts(settings: Settings) -> dict[str, dict[str, str]]:
    """Create or renew every account. Raises: psycopg.Error when the database does not answer."""
    db = Database(settings.model_copy(update={"db_statement_timeout_ms": 60_000}))
    try:
        made = {role.key: await _account(db, role) for role in ROLES}
        return {key: account for key, account in made.items() if account is not None}
    finally:
        await db.close()


async def _account(db: Database, role: Role) -> dict[str, str] | None:
    email = f"{role.local_part}@{DOMAIN}"
    async with db.read() as read:
        person = await read.first(select(User.user_id, User.name).where(User.email == email))
        if person is None and role.history is not None:
            person = await read.first(role.history)
    if person is None and role.optional:
        return None
    user_id, name = person or (None, role.name)
    password = secrets.token_urlsafe(15)
    known = await account_with(db, email=email, name=name, user_type=role.user_type, password=password, user_id=user_id)
    return {"userId": str(known), "email": email, "password": password, "name": name}


def main() -> int:
    """Exit 0 with the JSON on stdout, 2 with a message on stderr."""
    try:
        settings = load_settings()
        kept = settings.home / FILE
        accounts = (
            json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else asyncio.run(demo_accounts(settings))
        )
    except (InvalidSettings, psycopg.Error, ValueError) as error:
        sys.stderr.write(f"accounts: {str(error).splitlines()[0]}\n")
        return 2
    sys.stdout.write(json.dumps(accounts, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

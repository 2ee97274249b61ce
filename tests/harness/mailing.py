"""The mail that a shop of tests has sent, through the worker's own functions in this process."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from api import nouns
from api.kernel import outbox
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from api.mail import commands
from orchestration.runtime.mailbox import Delivered, delivered
from tests.harness.sessions import SECRET_KEY

TOKEN = re.compile(r"^ {4}([A-Za-z0-9_-]{43})$", re.MULTILINE)


@asynccontextmanager
async def mailing_context(database_url: str, redis_url: str, home: Path, **changed: object) -> AsyncIterator[Context]:
    """What the worker has, with the secret key of the API of the tests; the folder is `home`/mail."""
    given = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    async with open_context(Settings.model_validate({**given, "SOUK_SECRET_KEY": SECRET_KEY, **changed})) as context:
        yield context


async def settle(ctx: Context) -> None:
    """What the worker does with the events and mails that are there."""
    await outbox.relay(ctx, nouns.followers(), nouns.drops(), nouns.doors(), nouns.spreads())
    while await commands.deliver_due(ctx):
        pass


async def mails_to(ctx: Context, address: str) -> list[Delivered]:
    """All mail to an address, newest first."""
    await settle(ctx)
    return delivered(ctx.settings.home / "mail", to=address)


def token_in(mail: Delivered) -> str:
    """The code that stands alone on a line."""
    found = TOKEN.findall(mail.text)
    assert len(found) == 1, mail.text
    assert found[0] in mail.html
    return str(found[0])

"""mail: what the shop has sent to people, as far as no SMTP server took it."""

import json
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from orchestration.cli.console import machine_or_exit, out, problems_as_sentences
from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.mailbox import delivered, mail_of

commands = typer.Typer(no_args_is_help=True)
As_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@commands.callback()
def mail() -> None:
    """Mail of this machine's shop. Without SOUK_MAIL_SMTP_URL it is delivered to the folder `mail` of SOUK_HOME."""


@commands.command("list")
def list_mail(
    to: Annotated[str, typer.Option("--to", help="Only mail to this address.")] = "",
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="At most so many.")] = 20,
    as_json: As_Json = False,
) -> None:
    """List the newest mails. With --json the bodies too."""
    mails = delivered(machine_or_exit().layout.mail, to=to, limit=limit)
    if as_json:
        typer.echo(json.dumps([mail.document() for mail in mails], ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("id", "date", "to", "subject"):
        table.add_column(title, no_wrap=title != "subject", overflow="fold")
    for mail in mails:
        table.add_row(*map(Text, (mail.mail_id, mail.date[:16].replace("T", " "), mail.to, mail.subject)))
    out.print(table)


@commands.command()
def show(
    mail_id: Annotated[str, typer.Argument(help="The id that `souk mail list` prints, or how it begins.")],
    as_json: As_Json = False,
) -> None:
    """Print one mail. Exit status 1 when there is no such mail."""
    folder = machine_or_exit().layout.mail
    mail = mail_of(folder, mail_id)
    if mail is None:
        with problems_as_sentences():
            raise RuntimeProblem(f"no mail {mail_id} in {folder}, or several: `souk mail list` shows them")
    if as_json:
        typer.echo(json.dumps(mail.document(), ensure_ascii=False))
        return
    for name, value in (("To", mail.to), ("Subject", mail.subject), ("Date", mail.date)):
        out.print(Text(f"{name}: {value}"), soft_wrap=True)
    out.print()
    out.print(Text(mail.text), soft_wrap=True, end="")

"""The folder that stands in for a mail server: the shop's worker writes a file per mail, this reads them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path


@dataclass(frozen=True)
class Delivered:
    """One mail. `mail_id`: the left half of its Message-ID."""

    mail_id: str
    to: str
    subject: str
    kind: str
    date: str
    text: str
    html: str

    def document(self) -> dict[str, str]:
        """As `souk mail --json` prints it."""
        return {"id": self.mail_id, **{name: value for name, value in asdict(self).items() if name != "mail_id"}}


def delivered(folder: Path, *, to: str = "", limit: int | None = None) -> list[Delivered]:
    """The mails of the folder, newest first; with `to` only those to it. A file that is no mail is skipped."""
    found = (mail for mail in _read(folder) if not to or mail.to.lower() == to.lower())
    return [mail for mail, _ in zip(found, range(limit if limit is not None else 1_000_000), strict=False)]


def mail_of(folder: Path, mail_id: str) -> Delivered | None:
    """The mail of this id, or the only one whose id begins so."""
    found = [mail for mail in _read(folder) if mail_id and mail.mail_id.startswith(mail_id)]
    return found[0] if len(found) == 1 else None


def _read(folder: Path) -> Iterator[Delivered]:
    for path in sorted(folder.glob("*.eml"), reverse=True):
        try:
            yield _parsed(path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _parsed(content: bytes) -> Delivered:
    message = message_from_bytes(content, policy=default)
    if not isinstance(message, EmailMessage):
        raise TypeError(type(message).__name__)
    return Delivered(
        mail_id=str(message["Message-ID"]).strip("<> ").partition("@")[0],
        to=str(message["To"]),
        subject=str(message["Subject"]),
        kind=str(message["X-Souk-Kind"]),
        date=parsedate_to_datetime(str(message["Date"])).isoformat(),
        text=_body(message, "plain"),
        html=_body(message, "html"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content())

"""Where mails go: an SMTP server, or the folder `SOUK_HOME/mail` that stands in for one.

Both run in a thread. What is delivered twice has one Message-ID, and in the folder one file.
"""

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

from api.kernel.files import replace_file

Result = Literal["sent", "later", "refused", "not tried"]
TIMEOUT_SECONDS = 10.0
_THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A written mail. `sender`, `recipient`: addresses; `name`: of its file; `content`: lines ended by a line feed."""

    mail_id: UUID
    sender: str
    recipient: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail. `later` may be tried again; `refused` may not; `not tried`: no server could be asked."""

    mail_id: UUID
    result: Result
    reason: str | None = None


class Transport(Protocol):
    """Delivers mails, one after the other; one that is refused does not keep the others from being delivered."""

    def deliver(self, mails: Sequence[Envelope]) -> list[Outcome]: ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A file per mail, for its reader's eyes only. A power cut may lose the newest; a killed process loses none."""

    path: Path

    def deliver(self, mails: Sequence[Envelope]) -> list[Outcome]:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return [self._written(mail) for mail in mails]

    def _written(self, mail: Envelope) -> Outcome:
        try:
            replace_file(self.path / mail.name, mail.content, mode=0o600, durable=False)
        except OSError as error:
            return Outcome(mail.mail_id, "later", _said(error))
        return Outcome(mail.mail_id, "sent")


@dataclass(frozen=True, slots=True)
class Smtp:
    """`smtp://user:password@host:587`, encrypted when the server offers it; `smtps://` encrypted from the start."""

    url: str

    def deliver(self, mails: Sequence[Envelope]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        server: smtplib.SMTP | None = None
        for place, mail in enumerate(mails):
            try:
                server = server or self._connected()
            except (OSError, smtplib.SMTPException) as error:
                rest = [Outcome(other.mail_id, "not tried", _said(error)) for other in mails[place:]]
                return outcomes + rest
            outcome, usable = _sent(server, mail)
            outcomes.append(outcome)
            if not usable:
                _close(server)
                server = None
        if server is not None:
            _close(server)
        return outcomes

    def _connected(self) -> smtplib.SMTP:
        parts = urlsplit(self.url)
        host, context = parts.hostname or "127.0.0.1", ssl.create_default_context()
        server: smtplib.SMTP
        if parts.scheme == "smtps":
            server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_SECONDS, context=context)
        else:
            server = smtplib.SMTP(host, parts.port or 587, timeout=TIMEOUT_SECONDS)
        try:
            server.ehlo_or_helo_if_needed()
            encrypted = parts.scheme == "smtps"
            if not encrypted and server.has_extn("starttls"):
                server.starttls(context=context)
                encrypted = True
            if parts.username:
                _require(encrypted or host in _THIS_MACHINE)
                server.login(unquote(parts.username), unquote(parts.password or ""))
        except BaseException:
            _close(server)
            raise
        return server


def _require(safe: bool) -> None:
    if not safe:
        raise smtplib.SMTPException("the server offers no encryption: the password is not sent")


def _sent(server: smtplib.SMTP, mail: Envelope) -> tuple[Outcome, bool]:
    """The outcome, and whether the connection can be used again."""
    try:
        server.sendmail(mail.sender, [mail.recipient], mail.content.replace(b"\n", b"\r\n"), _options(server, mail))
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        return Outcome(mail.mail_id, _by_code(code), _said(error)), True
    except smtplib.SMTPServerDisconnected as error:
        return Outcome(mail.mail_id, "later", _said(error)), False
    except smtplib.SMTPResponseException as error:
        return Outcome(mail.mail_id, _by_code(error.smtp_code), _said(error)), error.smtp_code != 421
    except (smtplib.SMTPNotSupportedError, ValueError) as error:
        return Outcome(mail.mail_id, "refused", _said(error)), False
    except (OSError, smtplib.SMTPException) as error:
        return Outcome(mail.mail_id, "later", _said(error)), False
    return Outcome(mail.mail_id, "sent"), True


def _options(server: smtplib.SMTP, mail: Envelope) -> Sequence[str]:
    """What is asked for an address that is not ASCII (RFC 6531)."""
    if (mail.sender + mail.recipient).isascii():
        return ()
    if not server.has_extn("smtputf8"):
        raise smtplib.SMTPNotSupportedError("the server takes no addresses beyond ASCII")
    return ("SMTPUTF8", "BODY=8BITMIME")


def _by_code(code: int) -> Result:
    """RFC 5321: 4yz may be tried again, 5yz may not."""
    return "refused" if 500 <= code < 600 else "later"


def _close(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]

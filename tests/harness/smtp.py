"""A mail server of ours: it takes what it is sent, and refuses, delays or drops the addresses that a test names."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any


@dataclass
class MailServer:
    """`answers`: recipient -> the line that RCPT gets, or "" to hang up when the mail's content has come.

    `international`: whether it takes addresses beyond ASCII (SMTPUTF8).
    """

    answers: dict[str, str] = field(default_factory=dict)
    international: bool = False
    received: list[EmailMessage] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


class _Session(socketserver.StreamRequestHandler):
    """One connection, RFC 5321 as far as smtplib speaks it."""

    server: Any  # Any: the class below, which knows the test's MailServer

    def handle(self) -> None:
        mails: MailServer = self.server.mails
        recipient = ""
        self._say("220 ready")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
                self._say(mails.answers.get(recipient) or "250 ok")
            elif verb == b"DATA":
                self._say("354 go on")
                content = self._content()
                if mails.answers.get(recipient) == "":
                    return
                message = message_from_bytes(content, policy=default)
                assert isinstance(message, EmailMessage)
                mails.received.append(message)
                self._say("250 taken")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            elif verb == b"EHLO" and mails.international:
                self._say("250-ok\r\n250 SMTPUTF8")
            else:
                self._say("250 ok")

    def _content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, mails: MailServer) -> None:
        super().__init__(("127.0.0.1", mails.port), _Session)
        self.mails = mails


@contextmanager
def mail_server(mails: MailServer) -> Iterator[MailServer]:
    """Started on the port of `mails`, or on a free one."""
    with _Server(mails) as server:
        mails.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield mails
        finally:
            server.shutdown()
            thread.join()

"""`souk mail`: the mails that the shop's worker wrote to the folder, for people and as JSON."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from api.mail.letters import Letter, written
from api.mail.transports import Envelope, Folder
from orchestration.cli import app, mail
from orchestration.runtime.config import Config
from orchestration.runtime.layout import Layout
from orchestration.runtime.machine import Machine
from orchestration.settings import Settings

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DATA = {
    "number": "112-1234567-1234567", "currency": "EUR", "total": "12.50", "delivery": None, "until": None,
    "lines": [{"quantity": 1, "title": "Crème brûlée [dish]", "amount": "12.50"}],
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    layout = Layout(tmp_path)
    layout.create()
    config, _ = Config().with_free_ports()
    machine = Machine(Settings.model_validate({"SOUK_HOME": str(tmp_path)}), layout, config)
    monkeypatch.setattr(mail, "machine_or_exit", lambda: machine)
    for number, to in enumerate(("anna@example.com", "ben@example.com", "anna@example.com")):
        at = START + timedelta(minutes=number)
        content = written(Letter(UUID(int=number), "order-confirmation", to, DATA, at), "Souk <shop@souk.example>")
        name = f"{at:%Y%m%dT%H%M%SZ}-{UUID(int=number)}.eml"
        Folder(layout.mail).deliver([Envelope(UUID(int=number), "shop@souk.example", to, name, content)])
    (layout.mail / "99999999T000000Z-broken.eml").write_bytes(b"\xff\x00 no mail")
    return tmp_path


def souk(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["mail", *arguments])
    return done.exit_code, done.stdout


def test_the_newest_come_first_and_an_address_chooses(home: Path) -> None:
    code, printed = souk("list", "--json")
    mails = json.loads(printed)

    assert code == 0
    assert [(one["id"], one["to"]) for one in mails] == [
        (str(UUID(int=2)), "anna@example.com"),
        (str(UUID(int=1)), "ben@example.com"),
        (str(UUID(int=0)), "anna@example.com"),
    ]
    assert mails[0].keys() == {"id", "to", "subject", "kind", "date", "text", "html"}
    assert (mails[0]["subject"], mails[0]["date"]) == ("Your order 112-1234567-1234567", "2026-01-02T03:06:05+00:00")
    assert "1 x Crème brûlée [dish]: 12.50 EUR" in mails[0]["text"]
    assert "Crème brûlée [dish]" in mails[0]["html"]
    anna = json.loads(souk("list", "--json", "--to", "Anna@Example.com", "--limit", "1")[1])
    assert [one["id"] for one in anna] == [str(UUID(int=2))]
    assert "ben@example.com" in souk("list")[1]


def test_one_mail_is_shown_whole(home: Path) -> None:
    code, printed = souk("show", str(UUID(int=1)))

    assert code == 0
    assert "To: ben@example.com" in printed
    assert "1 x Crème brûlée [dish]: 12.50 EUR" in printed
    assert json.loads(souk("show", "--json", str(UUID(int=1)))[1])["to"] == "ben@example.com"
    assert souk("show", "00000000")[0] == 1
    assert souk("show", "nothing")[0] == 1

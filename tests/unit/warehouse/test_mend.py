"""The command that has a table read again waits for an exact state of it, not for the end of the old one."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.harness.cdc import lab_contract
from warehouse import mend
from warehouse.lake.watermark import Source, TableVersion, Watermark

NOW = datetime(2026, 3, 10, tzinfo=UTC)
EXACT = TableVersion(1, 1, 0)
STOPPED = replace(EXACT, stopped_lsn=1, error="table lines: it is read again on request")
SOURCE = Source("7", 1, "slot", snapshots=1)


def mark(lines: TableVersion, reads: int) -> Watermark:
    return Watermark(1, NOW, NOW, {"lines": lines, "pairs": EXACT}, replace(SOURCE, table_snapshots=reads))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    contract = tmp_path / "contract.json"
    contract.write_text(json.dumps(lab_contract()))
    monkeypatch.setenv("SOUK_HOME", str(tmp_path))
    monkeypatch.setenv("SOUK_CONTRACT_PATH", str(contract))
    return tmp_path


class Cdc:
    """Takes the request while the command sleeps for the first time, and shows one more watermark at each sleep."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, *marks: Watermark) -> None:
        self.left = list(marks)
        self._request = home / "run" / "cdc-mend" / "lines"
        self._now = 0.0
        monkeypatch.setattr(mend, "_newest", lambda _settings: self.left[0])
        monkeypatch.setattr(mend, "time", SimpleNamespace(sleep=self._sleep, monotonic=lambda: self._now))

    def _sleep(self, seconds: float) -> None:
        self._now += seconds
        self._request.unlink(missing_ok=True)
        self.left = self.left[1:] or self.left


def test_a_table_that_is_still_being_read_is_not_exact(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Cdc(home, monkeypatch, mark(EXACT, 0), mark(STOPPED, 0))

    assert mend.main(["lines", "--wait", "9"]) == 1
    assert capsys.readouterr().out == "lines: table lines: it is read again on request\n"


@pytest.mark.parametrize("before", [EXACT, STOPPED], ids=["exact", "stopped"])
def test_it_ends_at_the_first_watermark_that_shows_the_table_exact(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], before: TableVersion
) -> None:
    cdc = Cdc(home, monkeypatch, mark(before, 0), mark(STOPPED, 0), mark(STOPPED, 1), mark(EXACT, 1), mark(EXACT, 2))

    assert mend.main(["lines"]) == 0
    assert capsys.readouterr().out == "lines: read again, exact\n"
    assert cdc.left == [mark(EXACT, 1), mark(EXACT, 2)]

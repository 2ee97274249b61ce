"""Why the published marts are older than they should be: what the last build (`refresh.json` next to them) and the
process that refreshes them (`run/marts-status.json` in SOUK_HOME) say of themselves."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.kernel import clock
from api.kernel.files import read_json

FAILS, WAITS = "refreshing them fails", "they wait for a full build"
# That process reports every second; an older report says nothing of now.
_REPORT_AGE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Old:
    """`reason` ends a sentence that goes on with "since". What an error says is the operator's: it may name rows of
    other sellers."""

    reason: str
    since: datetime


def old_marts(marts: Path, home: Path) -> Old | None:
    """None while builds and refreshes are good. Never raises."""
    build, report = read_json(marts.with_name("refresh.json")), read_json(home / "run" / "marts-status.json")
    if since := _moment(build.get("failingSince")):
        return Old(FAILS, since)
    updated = _moment(report.get("updatedAt"))
    if updated is None or clock.now() - updated > _REPORT_AGE:
        return None
    if since := _moment(report.get("failingSince")):
        return Old(FAILS, since)
    since = _moment(report.get("behindSince")) if report.get("needsBuild") else None
    return Old(WAITS, since) if since else None


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC) if text else None
    except ValueError:
        return None

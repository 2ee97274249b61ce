"""The alerts of the data platform as events: one JSON line each in `$SOUK_HOME/run/alerts.jsonl`, newest last.

An alert is raised once and resolved once; a program that follows the file sees both. The file keeps the newest 1,000.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from warehouse.files import replace_file

ALERTS = "run/alerts.jsonl"
"""Below the state directory."""
_KEPT = 1_000


@dataclass(frozen=True)
class Alert:
    """`id`: the position in Dagster's event log. `kind`: run_failed, check_failed or stale.

    `subject`: a job, check or asset. `resolved`: the end of the alert with the same kind and subject.
    """

    id: int
    at: str
    kind: str
    subject: str
    message: str
    resolved: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What the alert is about."""
        return self.kind, self.subject


@dataclass(frozen=True)
class AlertLog:
    """The file. One process appends: Dagster's code server."""

    path: Path

    def read(self) -> list[Alert]:
        """Every alert that is kept, oldest first."""
        if not self.path.exists():
            return []
        return [Alert(**json.loads(line)) for line in self.path.read_text(encoding="utf-8").splitlines()]

    def open(self) -> list[Alert]:
        """Alerts that are not resolved, one for each subject, oldest first."""
        found: dict[tuple[str, str], Alert] = {}
        for alert in self.read():
            if alert.resolved:
                found.pop(alert.key, None)
            else:
                found.setdefault(alert.key, alert)
        return list(found.values())

    def append(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Add what changes an alert's state; returns that.

        A second alert on an open subject and the end of one that is not open are left out, and so is whatever is not
        newer than the subject's last line: events are read more than once.
        """
        known, opened = self.read(), {alert.key for alert in self.open()}
        last, new = {alert.key: alert.id for alert in known}, list[Alert]()
        for alert in sorted(alerts, key=lambda one: one.id):
            if alert.id <= last.get(alert.key, -1) or alert.resolved != (alert.key in opened):
                continue
            (opened.discard if alert.resolved else opened.add)(alert.key)
            last[alert.key] = alert.id
            new.append(alert)
        if new:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lines = (json.dumps(asdict(alert), ensure_ascii=True) for alert in (known + new)[-_KEPT:])
            replace_file(self.path, "".join(f"{line}\n" for line in lines))
        return new

"""Alerts from Dagster's event log: failed runs, failed checks, assets older than their tier allows."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from orchestration.alert_log import Alert, AlertLog
from orchestration.graph.dead_runs import fail_dead_runs
from orchestration.graph.resources import Platform
from orchestration.graph.run_progress import failed_steps

_KINDS = (
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.FRESHNESS_STATE_CHANGE,
)
_LIMIT = 2_000
_OVERLAP = 200  # events are numbered before they are committed, so a lower number may appear later


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes failed runs, failed checks and stale assets to $SOUK_HOME/run/alerts.jsonl, and their ends.",
)
def alerts(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
    """The cursor is the number of the newest event read. It moves after the alerts are written."""
    fail_dead_runs(context.instance)
    log = AlertLog(platform.alert_path)
    newest, found = alerts_after(context.instance, int(context.cursor or 0))
    new = log.append(found)
    for alert in new:
        (context.log.info if alert.resolved else context.log.error)("alert %s", alert)
    context.update_cursor(str(newest))
    return dg.SkipReason(f"{len(new)} new, {len(log.open())} open")


def alerts_after(instance: dg.DagsterInstance, position: int) -> tuple[int, list[Alert]]:
    """The newest position and the alerts of the events after `position`, some of which were read before."""
    after, found = max(0, position - _OVERLAP), list[Alert]()
    read, full = [position], list[int]()
    for kind in _KINDS:
        records = instance.event_log_storage.get_event_records(
            dg.EventRecordsFilter(event_type=kind, after_cursor=after), limit=_LIMIT, ascending=True
        )
        read += [record.storage_id for record in records]
        full += read[-1:] if len(records) == _LIMIT else []
        for record in records:
            found += [
                Alert(record.storage_id, _time(record.timestamp), *about)
                for about in _about(instance, record.event_log_entry)
            ]
    return min(full) if full else max(read), found


def _about(instance: dg.DagsterInstance, entry: dg.EventLogEntry) -> Iterator[tuple[str, str, str, bool]]:
    """Kind, subject, message, and whether it is the end of an alert."""
    event = entry.get_dagster_event()
    if event.event_type == dg.DagsterEventType.RUN_SUCCESS:
        yield "run_failed", event.job_name or "", "a later run succeeded", True
    elif event.event_type == dg.DagsterEventType.RUN_FAILURE:
        steps = failed_steps(instance, entry.run_id)
        told = "; ".join(f"{step}: {message}" for step, message in steps.items())
        yield "run_failed", event.job_name or "", f"run {entry.run_id[:8]}: {told or event.message}", False
    elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        if check.passed or check.severity == dg.AssetCheckSeverity.ERROR:
            figures = ", ".join(f"{name} {value.value}" for name, value in check.metadata.items())
            yield "check_failed", f"{check.asset_key.to_user_string()}:{check.check_name}", figures, check.passed
    else:
        change = event.event_specific_data
        state = getattr(change, "new_state", None)
        if state in {"FAIL", "PASS"} and event.asset_key is not None:
            asset = event.asset_key.to_user_string()
            yield (
                "stale",
                asset,
                f"{asset} is {'as fresh as' if state == 'PASS' else 'older than'} its tier allows",
                state == "PASS",
            )


def _time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()

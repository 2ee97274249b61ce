"""The parts of Dagster's graph whose changes a reviewer should see, for the snapshot."""

import dagster as dg

from orchestration.graph.definitions import defs


def rendered() -> dict[str, object]:
    """Assets, jobs, schedules and sensors as the snapshot holds them."""
    graph = defs.resolve_asset_graph()
    assets = {
        key.to_user_string(): {
            "group": node.group_name,
            "owners": sorted(node.owners),
            "kinds": sorted(node.kinds),
            "parents": sorted(parent.to_user_string() for parent in node.parent_keys),
            "checks": sorted(
                f"{check.name}{' (blocking)' if graph.get(check).blocking else ''}" for check in node.check_keys
            ),
            "freshness": freshness(node.freshness_policy),
            "automation": None if node.automation_condition is None else node.automation_condition.get_label(),
            "partitions": None if node.partitions_def is None else type(node.partitions_def).__name__,
        }
        for key in graph.get_all_asset_keys()
        for node in [graph.get(key)]
    }
    repository = defs.get_repository_def()
    return {
        "assets": dict(sorted(assets.items())),
        "jobs": {
            job.name: {
                "assets": sorted(str(k.to_user_string()) for k in job.asset_layer.executable_asset_keys),
                "queue": job.tags.get("souk/queue"),
            }
            for job in _jobs()
        },
        "schedules": {s.name: [s.cron_schedule, s.job_name, s.default_status.value] for s in repository.schedule_defs},
        "sensors": {
            s.name: [s.minimum_interval_seconds, s.job_name if s.has_jobs else None, s.default_status.value]
            for s in repository.sensor_defs
        },
    }


def freshness(policy: dg.FreshnessPolicy | None) -> str | None:
    """The policy in words."""
    if policy is None:
        return None
    window = getattr(policy, "fail_window", None)
    if window is not None:
        return f"at most {window.to_timedelta()} old"
    return f"at {getattr(policy, 'deadline_cron', '')} at most {getattr(policy, 'lower_bound_delta', '')} old"


def _jobs() -> list[dg.JobDefinition]:
    return [defs.resolve_job_def(name) for name in ("everything", "refresh", "rebuild", "training", "days")]

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
        }
        for key in graph.get_all_asset_keys()
        for node in [graph.get(key)]
    }
    repository = defs.get_repository_def()
    return {
        "assets": dict(sorted(assets.items())),
        "jobs": {
            job.name: sorted(str(k.to_user_string()) for k in job.asset_layer.executable_asset_keys) for job in _jobs()
        },
        "schedules": {s.name: [s.cron_schedule, s.job_name, s.default_status.value] for s in repository.schedule_defs},
        "sensors": {
            s.name: [s.minimum_interval_seconds, s.job_name, s.default_status.value] for s in repository.sensor_defs
        },
    }


def _jobs() -> list[dg.JobDefinition]:
    return [defs.resolve_job_def(name) for name in ("everything", "refresh")]

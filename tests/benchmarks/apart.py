"""Benchmarks that make a shop of their own read nothing of the platform whose `souk bench` started them."""

import os

_PLATFORM = ("SOUK_", "REPLICATION_", "DAGSTER_", "FEAST_", "MLFLOW_", "DATABASE_URL", "REDIS_URL")


def leave_platform() -> None:
    """Forget the variables that name the platform's lake, marts and databases: defaults under a home count again."""
    for name in [name for name in os.environ if name.startswith(_PLATFORM)]:
        del os.environ[name]

"""Everything Dagster knows: assets, checks, schedules, sensors."""

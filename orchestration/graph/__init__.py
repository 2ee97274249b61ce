"""Dagster's definitions: assets, checks, schedules, sensors."""

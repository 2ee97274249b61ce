"""Tiers of readers, and how old the tables of each may be."""

from datetime import datetime, timedelta
from enum import StrEnum

import dagster as dg

from orchestration.graph.dbt_graph import DbtModel


class Tier(StrEnum):
    """Who reads a table and waits for it."""

    SELLER = "seller"
    ANALYST = "analyst"
    ML = "ml"


LIMITS = {Tier.SELLER: timedelta(minutes=2), Tier.ANALYST: timedelta(minutes=15), Tier.ML: timedelta(hours=24)}
FEATURES_AGE = timedelta(minutes=15)
"""Features are built in full when they are so old and a table that they are made of has changed."""
REPORT_AGE = timedelta(minutes=1)
"""A process that has not written its report for so long is not believed."""
TICK_SECONDS = 30
"""How often a sensor looks whether a tier is to be reported."""
DEADLINE = "0 4 * * *"
"""By then the night's rebuild and training are over."""


def tier_of(model: DbtModel) -> Tier | None:
    """Sellers read marts/seller, analysts every other mart, models the features. Staging and intermediate models are
    read by models of the same build only."""
    if model.layer == "features":
        return Tier.ML
    if model.layer != "marts":
        return None
    return Tier.SELLER if model.consumer == "seller" else Tier.ANALYST


def freshness_of(model: DbtModel) -> dg.FreshnessPolicy | None:
    """The limit of the model's tier."""
    tier = tier_of(model)
    return dg.FreshnessPolicy.time_window(fail_window=LIMITS[tier]) if tier else None


def made_nightly() -> dg.FreshnessPolicy:
    """For what a night makes once: at 04:00 UTC it is at most as old as the ML tier allows.

    A window of 24 hours would fail every morning on which the night's run is a minute later than the day before.
    """
    return dg.FreshnessPolicy.cron(deadline_cron=DEADLINE, lower_bound_delta=LIMITS[Tier.ML], timezone="UTC")


def is_due(last: datetime | None, limit: timedelta, now: datetime, every: float = TICK_SECONDS) -> bool:
    """Whether a tier's assets are reported again: half of its limit has passed, less half of the seconds after which
    this is asked again."""
    return last is None or now - last >= limit / 2 - timedelta(seconds=every / 2)

"""How old a table may be, by tier of its readers, and the sensor that says so to Dagster.

Dagster measures freshness from the last materialization. Marts are refreshed when the shop changes, by whatever
process; an idle shop's marts are not old. So `marts_confirmed` compares the marts' own position with the lake's, and
reports the assets of a tier as made when they lack nothing older than half of what the tier allows. That is a few
events an asset in that time, however often the marts are refreshed.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb

from orchestration.graph.dbt_graph import DbtModel, read_project
from orchestration.graph.recorded import recorded_rows
from orchestration.graph.resources import Platform
from orchestration.graph.sensors import built_at, features_built_at, marts_sources, position_of
from orchestration.graph.storage import report_made
from orchestration.graph.tiers import LIMITS, TICK_SECONDS, Tier, is_due, tier_of
from warehouse.lake.behaviour import events_landed
from warehouse.lake.lsn import format_lsn
from warehouse.lake.read import literal
from warehouse.lake.watermark import LakeStateError, Watermark, watermark_at


@dataclass(frozen=True)
class MartsPosition:
    """What the published marts hold: everything up to `lsn`, committed at `as_of` or before."""

    lsn: int
    as_of: datetime


@dg.sensor(
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports marts and features as made while they lack nothing that their tier's readers must see.",
)
def marts_confirmed(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
    """The cursor is the time of the last report by tier."""
    last = {name: datetime.fromisoformat(text) for name, text in json.loads(context.cursor or "{}").items()}
    now = datetime.now(UTC)
    waiting = [tier for tier in Tier if is_due(last.get(tier), LIMITS[tier], now)]
    if not waiting:
        return dg.SkipReason("no tier is due")
    marts, newest = marts_position(platform.transforms.marts_path), platform.watermark()
    if marts is None or newest is None:
        return dg.SkipReason("nothing was built yet")
    age, features = age_of(marts, newest, platform, now), features_age(newest, platform, now)
    ages = {Tier.SELLER: age, Tier.ANALYST: age, Tier.ML: features}
    due = [tier for tier in waiting if ages[tier] <= LIMITS[tier] / 2]
    events_wait = events_landed(platform.warehouse.lake_uri) > recorded_rows(context.instance, "behaviour_events")
    figures = {
        "lsn": dg.MetadataValue.int(marts.lsn),
        "lsn_text": dg.MetadataValue.text(format_lsn(marts.lsn)),
        "as_of": dg.MetadataValue.text(marts.as_of.isoformat()),
    }
    report_made(
        context.instance,
        [
            dg.AssetMaterialization(model.name, metadata=figures)
            for model in _published(platform.transforms.dbt_project, due)
            # The next refresh, minutes away, makes those that lack events.
            if not (events_wait and model.consumer == "behaviour")
        ],
    )
    context.update_cursor(json.dumps({name: at.isoformat() for name, at in (last | dict.fromkeys(due, now)).items()}))
    return dg.SkipReason(f"marts lack at most {age.total_seconds():.0f} s; confirmed: {', '.join(due) or 'none due'}")


def marts_position(path: Path) -> MartsPosition | None:
    """The watermark in the published marts; None before the first build."""
    if not path.exists():
        return None
    with duckdb.connect() as con:
        con.execute(f"ATTACH {literal(str(path))} AS published (READ_ONLY)")
        row = con.execute("SELECT lsn, epoch_us(as_of) FROM published.mart_watermark").fetchone()
    return MartsPosition(int(row[0]), datetime.fromtimestamp(row[1] / 1e6, UTC)) if row else None


def age_of(marts: MartsPosition, newest: Watermark, platform: Platform, now: datetime) -> timedelta:
    """How long ago the marts held everything: zero when no table they read has changed in the lake since."""
    if marts.lsn >= newest.lsn:
        return timedelta(0)
    try:
        built = watermark_at(platform.warehouse.lake_uri, marts.lsn)
    except LakeStateError:  # the lake has expired that watermark
        return now - marts.as_of
    tables = marts_sources(platform)
    return timedelta(0) if position_of(built, tables) == position_of(newest, tables) else now - marts.as_of


def features_age(newest: Watermark, platform: Platform, now: datetime) -> timedelta:
    """The same for the feature files, which a full build makes."""
    built, tables = built_at(platform), marts_sources(platform)
    if built is not None and position_of(built, tables) == position_of(newest, tables):
        return timedelta(0)
    return now - features_built_at(platform)


def _published(project: Path, tiers: Iterable[Tier]) -> list[DbtModel]:
    wanted = set(tiers)
    return [model for model in read_project(project) if tier_of(model) in wanted]

"""The evaluation of a set or of the lake, by every protocol of its form.

All protocols use full ranking over all recommendable items, known items removed, ties at their expected rank, settings
chosen on validation only, 95 % bootstrap intervals over cases. Rows name the protocol, the model and the number of
cases.
"""

from dataclasses import replace
from datetime import date

import numpy as np

from training.data.cases import Cases
from training.data.datasets import TrainingData
from training.data.splits import (
    Split,
    basket_cases,
    last_item_only,
    leave_one_out,
    sample,
    shuffled_ties,
    split_times,
    time_split,
)
from training.judging.scores import cold_slices, gain, judge
from training.recommender.fit import Fitted, fit
from training.recommender.models.content import fit_content
from training.recommender.models.item_to_item import ItemToItem
from training.recommender.models.popularity import fit_popularity
from training.recommender.models.retrieval import half_lives
from training.recommender.recipes import Recipe
from training.recommender.tables import Tables, tables_of
from warehouse.logs import get_logger

log = get_logger(__name__)

Row = dict[str, object]

DOCUMENTED_SPLIT_TIMES = {"online_retail": (date(2011, 10, 1), date(2011, 11, 1))}
"""(validation start, test start) from a set's own README; other sets use `splits.split_times`."""

BASKETS = 2000


def evaluate(data: TrainingData, recipe: Recipe) -> list[Row]:
    """All rows of a set."""
    if data.form == "sequences":
        return _sequences(data, recipe)
    return _orders(_with_split_times(data), recipe)


def _sequences(data: TrainingData, recipe: Recipe) -> list[Row]:
    """Leave-one-out in the file's order, leave-one-out with the order inside a day shuffled, and a time split."""
    rows = _next_item(data, leave_one_out(data.events), recipe, "leave one out, file order")
    if not data.timed:
        return rows
    mixed = data.with_events(shuffled_ties(data.events, recipe.seed))
    rows += _next_item(mixed, leave_one_out(mixed.events), recipe, "leave one out, ties shuffled")
    return rows + _next_item(
        data, time_split(data, first_only=True), recipe, "time split, first purchase after the cut, known users"
    )


def _next_item(data: TrainingData, split: Split, recipe: Recipe, protocol: str) -> list[Row]:
    """Every model on the test cases, and one-seed look-ups of the newest item."""
    fitted = fit(data, recipe, split=split)
    rows = _fitted_rows(data, fitted, split, protocol)
    cases = sample(split.test, recipe.judged_cases, recipe.seed)
    if len(cases):
        found = judge(fitted.tested.tables.related.score, last_item_only(cases), data.catalog, cases)
        rows.append(_row(data, f"{protocol}; one seed (newest item)", "related", found.summary(recipe.seed)))
    return rows


def _orders(data: TrainingData, recipe: Recipe) -> list[Row]:
    """For you, split by time; a hidden basket line from the others; a basket line from one other."""
    split = time_split(data)
    fitted = fit(data, recipe, split=split)
    rows = _fitted_rows(data, fitted, split, "for you: products of later orders not bought before, users with history")
    content = fit_content(data.catalog, recipe.item_to_item.content_neighbours)
    recipes = (fitted.choices.for_you, fitted.choices.related, fitted.choices.basket)
    early = tables_of(split.train, content, *recipes)
    for label, tables, events in (
        ("fitted before validation", early, split.train),
        ("fitted before test", fitted.tested.tables, split.before_test),
    ):
        life = half_lives(recipe.popularity_half_lives)[fitted.choices.popularity]
        popularity = fit_popularity(events, len(data.catalog), life)
        for name, cases, table in _basket_questions(data, split, recipe, tables):
            rows.append(
                _row(
                    data,
                    f"{name}; {label}",
                    "popularity",
                    judge(popularity.score, cases, data.catalog).summary(recipe.seed),
                )
            )
            found = judge(table.score, cases, data.catalog)
            slices = cold_slices(found, cases, np.bincount(events.item, minlength=len(data.catalog)))
            rows.append(
                _row(
                    data,
                    f"{name}; {label}",
                    "basket" if table is tables.basket else "related",
                    found.summary(recipe.seed) | slices,
                )
            )
    return rows


def _basket_questions(
    data: TrainingData, split: Split, recipe: Recipe, tables: Tables
) -> list[tuple[str, Cases, ItemToItem]]:
    """(protocol, cases, table) of the two basket protocols over the test weeks."""
    later = data.events.time >= split.test.moment
    return [
        ("hidden basket line", basket_cases(data.events, later, recipe.seed, BASKETS), tables.basket),
        (
            "bought together, one seed",
            basket_cases(data.events, later, recipe.seed, BASKETS, seeds_only=True),
            tables.related,
        ),
    ]


def _fitted_rows(data: TrainingData, fitted: Fitted, split: Split, protocol: str) -> list[Row]:
    """Test rows of popularity, item-to-item and the shipped model; validation rows of every contender; paired gains."""
    rows = []
    for name in fitted.tested.judged:
        prefix = f"test/{name}/"
        metrics = {key.removeprefix(prefix): value for key, value in fitted.metrics.items() if key.startswith(prefix)}
        if metrics:
            label = (
                f"shipped: {fitted.choices.shipped}{' with sequential' if fitted.choices.with_sequential else ''}"
                if name == "shipped"
                else name
            )
            rows.append(_row(data, protocol, label, metrics))
    for name in dict.fromkeys(key.split("/")[1] for key in fitted.metrics if key.startswith("validation/")):
        prefix = f"validation/{name}/"
        metrics = {key.removeprefix(prefix): value for key, value in fitted.metrics.items() if key.startswith(prefix)}
        rows.append(_row(data, f"{protocol} (validation)", name, metrics))
    gains = {key: value for key, value in fitted.metrics.items() if key.startswith(("gain/", "test/gain"))}
    judged = fitted.tested.judged
    if judged:
        over = gain(judged["shipped"], judged["item_to_item"], fitted.recipe.seed)
        gains |= {
            "test/gain_over_item_to_item": over.mean,
            "test/gain_over_item_to_item_low": over.low,
            "test/gain_over_item_to_item_high": over.high,
        }
    cost = {"cpu_seconds": fitted.metrics["cpu_seconds"], "peak_mb": fitted.metrics["peak_mb"]}
    phases = {f"cpu_seconds/{name}": value for name, value in fitted.seconds.items()}
    rows.append(_row(data, f"{protocol} (paired gains and cost)", fitted.choices.shipped, gains | cost | phases))
    log.info("protocol judged", set=data.name, protocol=protocol, **headline(rows))
    return rows


def _row(data: TrainingData, protocol: str, model: str, metrics: dict[str, float]) -> Row:
    """One JSON line."""
    rounded = {name: round(value, 5) for name, value in metrics.items() if np.isfinite(value)}
    return {"name": "recommenders", "set": data.name, "protocol": protocol, "model": model, "metrics": rounded}


def _with_split_times(data: TrainingData) -> TrainingData:
    """The set's documented split times when they lie inside its time, else derived ones."""
    documented = DOCUMENTED_SPLIT_TIMES.get(data.name)
    if documented is None:
        return replace(data, split_times=data.split_times or split_times(data.events))
    start, end = ((day - date(1970, 1, 1)).days for day in documented)
    return replace(data, split_times=(float(start), float(end)))


def headline(rows: list[Row]) -> dict[str, float]:
    """NDCG@10 of popularity and of the shipped model, on the first protocol."""
    result: dict[str, float] = {}
    for row in rows[:3]:
        metrics = row["metrics"]
        if isinstance(metrics, dict) and "ndcg@10" in metrics:
            name = "shipped" if str(row["model"]).startswith("shipped") else str(row["model"])
            result[f"{name}/ndcg@10"] = metrics["ndcg@10"]
    return result


def table(rows: list[Row]) -> str:
    """Plain text for people."""
    lines = [
        f"{headline(rows)}",
        f"{'R@5':>7} {'N@5':>7} {'R@10':>7} {'N@10':>7}  {'N@10 95 %':<19} {'cover':>6} {'cases':>6}  protocol / model",
    ]
    for row in rows:
        m = row["metrics"]
        if isinstance(m, dict) and "ndcg@10" in m:
            span = f"[{m['ndcg@10_low']:.4f}, {m['ndcg@10_high']:.4f}]"
            numbers = " ".join(f"{m[name]:7.4f}" for name in ("recall@5", "ndcg@5", "recall@10", "ndcg@10"))
            lines.append(
                f"{numbers}  {span:<19} {m['coverage@10']:6.3f} {int(m['cases']):6d}  {row['protocol']} /"
                f" {row['model']}"
            )
    return "\n".join(lines) + "\n"

"""Fit every model on a split, choose what ships by paired intervals on validation, report on test, refit on
everything."""

import logging
import resource
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from training.data.cases import Cases
from training.data.datasets import Events, TooFewPurchases, TrainingData
from training.data.splits import Split, basket_cases, last_item_only, leave_one_out, sample, time_split
from training.judging.metrics import Interval
from training.judging.scores import Judged, cold_slices, gain, judge
from training.recommender.models.content import fit_content
from training.recommender.models.item_to_item import Counts, ItemToItem, count, mix
from training.recommender.models.popularity import fit_popularity
from training.recommender.models.ranker import Ranker, fit_ranker
from training.recommender.models.retrieval import Retrieval, half_lives
from training.recommender.models.sequential import SequentialFit, fit_sequential
from training.recommender.ranking import RankedScorer, cross_fitted, propose_all
from training.recommender.recipes import Choice, ItemToItemRecipe, Recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tables:
    """The three neighbour tables and the recipe each follows."""

    for_you: ItemToItem
    related: ItemToItem
    basket: ItemToItem
    for_you_recipe: ItemToItemRecipe
    related_recipe: ItemToItemRecipe
    basket_recipe: ItemToItemRecipe


@dataclass(frozen=True)
class Choices:
    """What validation decided, enough to repeat the method on other data.

    shipped: ranker | item_to_item. popularity: 0 recent, 1 month, 2 all time."""

    for_you: ItemToItemRecipe
    related: ItemToItemRecipe
    basket: ItemToItemRecipe
    shipped: str
    with_sequential: bool
    popularity: int


@dataclass(frozen=True)
class Tested:
    """The models as they stood at the start of the test weeks, the judged test cases by model, their flat metrics."""

    retrieval: Retrieval
    tables: Tables
    judged: dict[str, Judged]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Fitted:
    """What a bundle is made of. metrics: flat, prefixed validation/, gain/ and test/. retrieval and tables are of all
    events."""

    data: TrainingData
    recipe: Recipe
    retrieval: Retrieval
    tables: Tables
    ranker: Ranker | None
    choices: Choices
    metrics: dict[str, float]
    tested: Tested
    split: str
    seconds: dict[str, float] = field(default_factory=dict)


def natural_split(data: TrainingData) -> Split:
    """Leave one out for sequences (the published protocol), time for orders (what production meets)."""
    return leave_one_out(data.events) if data.form == "sequences" else time_split(data)


def choose(
    counts: dict[float | None, Counts],
    start: ItemToItemRecipe,
    grid: Choice,
    *,
    rounds: int,
    cases: Cases,
    data: TrainingData,
    removed: Cases | None = None,
) -> ItemToItemRecipe:
    """Coordinate search on validation NDCG@10, first over the half lives in `counts`; the start stays wherever nothing
    is better."""
    if not len(cases):
        return start

    def value(recipe: ItemToItemRecipe) -> float:
        table = mix(counts[recipe.half_life_days], recipe)
        return float(judge(table.score, cases, data.catalog, removed).values["ndcg@10"].mean())

    lives = [replace(start, half_life_days=life) for life in counts]
    reached, best = max(((value(recipe), recipe) for recipe in lives), key=lambda pair: pair[0])
    for _ in range(rounds):
        for name, values in grid:
            for number in values:
                tried = replace(best, **{name: number})  # type: ignore[arg-type]  # grid names are float fields
                found = value(tried)
                if found > reached:
                    best, reached = tried, found
    return best


def choose_tables(data: TrainingData, split: Split, content: sparse.csr_matrix, recipe: Recipe) -> Tables:
    """Search the recipe of each table on validation: history -> next, one seed -> next or same basket, basket -> hidden
    line."""
    search, start = recipe.search, recipe.item_to_item
    lives = search.half_lives if data.timed else (None,)
    counts = {
        life: count(split.train, content, len(data.catalog), replace(start, half_life_days=life)) for life in lives
    }
    history = sample(split.validation, search.cases, recipe.seed)
    for_you = choose(counts, start, search.for_you, rounds=search.rounds, cases=history, data=data)
    if data.form == "sequences":
        seeds = last_item_only(history)
        related = choose(counts, start, search.one_seed, rounds=search.rounds, cases=seeds, data=data, removed=history)
        basket = related
    else:
        inside = (data.events.time >= split.validation.moment) & (data.events.time < split.test.moment)
        alone = replace(start, transition_weight=0.3)
        seeds = basket_cases(data.events, inside, recipe.seed, search.cases, seeds_only=True)
        related = choose(counts, alone, search.one_seed, rounds=search.rounds, cases=seeds, data=data)
        baskets = basket_cases(data.events, inside, recipe.seed, search.cases)
        basket = choose(
            counts, replace(alone, decay=1.0), search.one_seed, rounds=search.rounds, cases=baskets, data=data
        )
    return _mixed(counts, for_you, related, basket)


def tables_of(
    events: Events,
    content: sparse.csr_matrix,
    for_you: ItemToItemRecipe,
    related: ItemToItemRecipe,
    basket: ItemToItemRecipe,
) -> Tables:
    """Given recipes on given events."""
    recipes = (for_you, related, basket)
    counts = {recipe.half_life_days: count(events, content, content.shape[0], recipe) for recipe in recipes}
    return _mixed(counts, *recipes)


def _mixed(
    counts: dict[float | None, Counts], for_you: ItemToItemRecipe, related: ItemToItemRecipe, basket: ItemToItemRecipe
) -> Tables:
    """The three tables of three recipes."""
    first, second, third = (mix(counts[recipe.half_life_days], recipe) for recipe in (for_you, related, basket))
    return Tables(first, second, third, for_you, related, basket)


def retrieval_of(
    data: TrainingData, events: Events, tables: Tables, sequential: SequentialFit | None, recipe: Recipe
) -> Retrieval:
    """Tables, sequential model and the three popularities of the same events."""
    recent, month, ever = (
        fit_popularity(events, len(data.catalog), life) for life in half_lives(recipe.popularity_half_lives)
    )
    return Retrieval(data.catalog, tables.for_you, sequential, (recent, month, ever), data.features, data.user_ids)


@dataclass(frozen=True)
class Verdict:
    """What validation says. gains: paired NDCG@10 intervals over item-to-item (sequential: of the ranker with it over
    without it)."""

    shipped: str
    with_sequential: bool
    gains: dict[str, Interval]
    judged: dict[str, Judged]
    ranker: Ranker
    popularity: int


def decide(plain: Retrieval, full: Retrieval | None, cases: Cases, recipe: Recipe) -> Verdict:
    """Judge every contender on the same validation cases and keep the simplest that nothing beats with an interval
    above zero."""
    catalog, seed = plain.catalog, recipe.seed
    baseline = strongest_popularity(plain, cases)
    judged = {
        "popularity": judge(plain.popularity[baseline].score, cases, catalog),
        "item_to_item": judge(plain.item_to_item.score, cases, catalog),
    }
    candidates = propose_all(plain, cases, recipe.ranker)
    judged["ranker_without_sequential"] = cross_fitted(plain, cases, candidates, recipe.ranker, seed)
    gains = {"ranker_without_sequential": gain(judged["ranker_without_sequential"], judged["item_to_item"], seed)}
    best, with_sequential, kept = "ranker_without_sequential", False, (plain, candidates)
    if full is not None and full.sequential is not None:
        judged["sequential"] = judge(full.sequential.score, cases, catalog)
        gains["sequential"] = gain(judged["sequential"], judged["item_to_item"], seed)
        more = propose_all(full, cases, recipe.ranker)
        judged["ranker_with_sequential"] = cross_fitted(full, cases, more, recipe.ranker, seed)
        gains["sequential_in_ranker"] = gain(judged["ranker_with_sequential"], judged[best], seed)
        gains["ranker_with_sequential"] = gain(judged["ranker_with_sequential"], judged["item_to_item"], seed)
        if gains["sequential_in_ranker"].low > 0:
            best, with_sequential, kept = "ranker_with_sequential", True, (full, more)
    shipped = "ranker" if gains[best].low > 0 else "item_to_item"
    ranker = fit_ranker(kept[1], kept[0].inputs, recipe.ranker, seed)
    return Verdict(shipped, with_sequential and shipped == "ranker", gains, judged, ranker, baseline)


def strongest_popularity(retrieval: Retrieval, cases: Cases) -> int:
    """Which of the three popularities is the baseline: the best on validation, so that nothing is beaten only because
    it was weak."""
    return int(
        np.argmax([judge(one.score, cases, retrieval.catalog).values["ndcg@10"].mean() for one in retrieval.popularity])
    )


def fit(data: TrainingData, recipe: Recipe, workspace: Path | None = None, split: Split | None = None) -> Fitted:
    """Choose on validation, report on test, refit on everything. workspace keeps the sequential checkpoint of a killed
    run.

    Raises TooFewPurchases when the split leaves no validation case.
    """
    torch.set_num_threads(recipe.threads)
    split = split or natural_split(data)
    clock = _Clock()
    content = fit_content(data.catalog, recipe.item_to_item.content_neighbours)
    if not len(split.validation):
        raise TooFewPurchases(
            f"{data.name}: no validation case in the split {split.name}; nothing can be chosen honestly"
        )
    tables = choose_tables(data, split, content, recipe)
    clock.lap("item_to_item")
    sequential = _sequential(split.train, tables, recipe, workspace)
    clock.lap("sequential")
    plain = retrieval_of(data, split.train, tables, None, recipe)
    verdict = decide(
        plain, replace(plain, sequential=sequential), sample(split.validation, recipe.ranker.cases, recipe.seed), recipe
    )
    clock.lap("ranker")
    kept = sequential if verdict.with_sequential else None
    choices = Choices(
        tables.for_you_recipe,
        tables.related_recipe,
        tables.basket_recipe,
        verdict.shipped,
        verdict.with_sequential,
        verdict.popularity,
    )
    metrics = _validation_metrics(verdict, recipe.seed)
    metrics |= {
        "sequential/epochs": float(sequential.epochs),
        "sequential/stopped_by_clock": float(sequential.stopped_by_clock),
    }
    ranker = verdict.ranker if verdict.shipped == "ranker" else None
    tested = report(
        data, split, content, tables=tables, sequential=kept, ranker=ranker, recipe=recipe, baseline=choices.popularity
    )
    clock.lap("test")
    tables, retrieval = _again(
        data, data.events, content, tables=tables, sequential=tested.retrieval.sequential, recipe=recipe
    )
    clock.lap("refit")
    metrics |= tested.metrics | {
        "cpu_seconds": clock.cpu(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    return Fitted(data, recipe, retrieval, tables, ranker, choices, metrics, tested, split.name, clock.laps)


def report(
    data: TrainingData,
    split: Split,
    content: sparse.csr_matrix,
    *,
    tables: Tables,
    sequential: SequentialFit | None,
    ranker: Ranker | None,
    recipe: Recipe,
    baseline: int,
) -> Tested:
    """Popularity, item-to-item and what ships on the test cases.

    The counts are made anew when the split lets the reported model see more than `train`.
    """
    before = split.before_test
    if before is not split.train:
        tables, retrieval = _again(data, before, content, tables=tables, sequential=sequential, recipe=recipe)
    else:
        retrieval = retrieval_of(data, before, tables, sequential, recipe)
    cases = sample(split.test, recipe.judged_cases, recipe.seed)
    if not len(cases):
        return Tested(retrieval, tables, {}, {})
    catalog = data.catalog
    judged = {
        "popularity": judge(retrieval.popularity[baseline].score, cases, catalog),
        "item_to_item": judge(tables.for_you.score, cases, catalog),
    }
    judged["shipped"] = (
        judge(RankedScorer(retrieval, ranker, recipe.ranker), cases, catalog) if ranker else judged["item_to_item"]
    )
    metrics = {
        f"test/{name}/{key}": value
        for name, found in judged.items()
        for key, value in found.summary(recipe.seed).items()
    }
    bought = np.bincount(before.item, minlength=len(catalog))
    metrics |= {f"test/shipped/{key}": value for key, value in cold_slices(judged["shipped"], cases, bought).items()}
    over = gain(judged["shipped"], judged["popularity"], recipe.seed)
    metrics |= {
        "test/gain_over_popularity": over.mean,
        "test/gain_over_popularity_low": over.low,
        "test/gain_over_popularity_high": over.high,
    }
    return Tested(retrieval, tables, judged, metrics)


def repeat(data: TrainingData, recipe: Recipe, choices: Choices) -> Judged | None:
    """The test judgement of an earlier method on these data: same split, its recipes and verdict, nothing chosen anew.

    None without test cases.
    """
    torch.set_num_threads(recipe.threads)
    split = natural_split(data)
    content = fit_content(data.catalog, recipe.item_to_item.content_neighbours)
    tables = tables_of(split.train, content, choices.for_you, choices.related, choices.basket)
    sequential = _sequential(split.train, tables, recipe, None) if choices.with_sequential else None
    ranker = None
    if choices.shipped == "ranker" and len(split.validation):
        retrieval = retrieval_of(data, split.train, tables, sequential, recipe)
        cases = sample(split.validation, recipe.ranker.cases, recipe.seed)
        ranker = fit_ranker(propose_all(retrieval, cases, recipe.ranker), retrieval.inputs, recipe.ranker, recipe.seed)
    return report(
        data,
        split,
        content,
        tables=tables,
        sequential=sequential,
        ranker=ranker,
        recipe=recipe,
        baseline=choices.popularity,
    ).judged.get("shipped")


def _again(
    data: TrainingData,
    events: Events,
    content: sparse.csr_matrix,
    *,
    tables: Tables,
    sequential: SequentialFit | None,
    recipe: Recipe,
) -> tuple[Tables, Retrieval]:
    """Everything on other events with the choices kept: counts anew, the sequential model continues from its
    weights."""
    again = tables_of(events, content, tables.for_you_recipe, tables.related_recipe, tables.basket_recipe)
    if sequential is not None:
        shorter = replace(
            recipe.sequential,
            epochs=max(recipe.sequential.epochs // 4, 1),
            max_seconds=recipe.sequential.max_seconds / 3,
        )
        sequential = fit_sequential(events, len(data.catalog), shorter, recipe.seed, weights=sequential.model)
    return again, retrieval_of(data, events, again, sequential, recipe)


def _sequential(events: Events, tables: Tables, recipe: Recipe, workspace: Path | None) -> SequentialFit:
    """The sequential model of the training events, started from the neighbour table."""
    checkpoint = workspace / "sequential.checkpoint.pt" if workspace else None
    fitted = fit_sequential(
        events,
        tables.for_you.table.shape[0],
        recipe.sequential,
        recipe.seed,
        start=tables.for_you.table,
        checkpoint=checkpoint,
    )
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return fitted


def _validation_metrics(verdict: Verdict, seed: int) -> dict[str, float]:
    """Flat metrics of every contender and every paired gain."""
    metrics = {
        f"validation/{name}/{key}": value
        for name, judged in verdict.judged.items()
        for key, value in judged.summary(seed).items()
    }
    for name, found in verdict.gains.items():
        metrics |= {f"gain/{name}": found.mean, f"gain/{name}_low": found.low, f"gain/{name}_high": found.high}
    return metrics


class _Clock:
    """CPU seconds of this process per phase."""

    def __init__(self) -> None:
        self.start = self.last = time.process_time()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Close a phase."""
        now = time.process_time()
        self.laps[name] = round(now - self.last, 3)
        log.info("%s: %.1f CPU s", name, now - self.last)
        self.last = now

    def cpu(self) -> float:
        """CPU seconds since the beginning."""
        return time.process_time() - self.start

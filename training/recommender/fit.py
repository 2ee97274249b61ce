"""Fits every model on a split, chooses the one that ships by paired intervals on validation, reports on test and refits
on all events.
"""

import resource
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from training.data.datasets import Events, TooFewPurchases, TrainingData
from training.data.splits import Split, leave_one_out, sample, time_split
from training.judging.scores import Judged, cold_slices, gain, judge
from training.recommender.clock import Clock
from training.recommender.contenders import Verdict, decide, validation_metrics
from training.recommender.models.content import fit_content
from training.recommender.models.popularity import fit_popularity
from training.recommender.models.ranker import Ranker, fit_ranker
from training.recommender.models.retrieval import Retrieval, half_lives
from training.recommender.models.sequential import SequentialFit, fit_sequential
from training.recommender.ranking import RankedScorer, propose_all
from training.recommender.recipes import ItemToItemRecipe, Recipe
from training.recommender.tables import Tables, choose_tables, tables_of


@dataclass(frozen=True)
class Task:
    """The inputs of every step of one fit."""

    data: TrainingData
    recipe: Recipe
    split: Split
    content: sparse.csr_matrix


@dataclass(frozen=True)
class Models:
    """The models that validation chose, fitted on the events of one moment.

    sequential: None unless the ranker reads it. ranker: None when item to item ships. popularity: the index of the
    baseline.
    """

    tables: Tables
    sequential: SequentialFit | None
    ranker: Ranker | None
    popularity: int


@dataclass(frozen=True)
class Choices:
    """The decisions of validation, sufficient to repeat the method on other data.

    shipped: ranker | item_to_item. popularity: 0 recent, 1 month, 2 all time.
    """

    for_you: ItemToItemRecipe
    related: ItemToItemRecipe
    basket: ItemToItemRecipe
    shipped: str
    with_sequential: bool
    popularity: int


@dataclass(frozen=True)
class Tested:
    """The models fitted up to the start of the test weeks, the judged test cases by model, their flat metrics."""

    retrieval: Retrieval
    tables: Tables
    judged: dict[str, Judged]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Fitted:
    """The content of a bundle.

    metrics: flat, prefixed validation/, gain/ and test/. retrieval and tables are fitted on all events.
    """

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
    """Leave-one-out for sequences (the published protocol), a time split for orders (as in production)."""
    return leave_one_out(data.events) if data.form == "sequences" else time_split(data)


def task_of(data: TrainingData, recipe: Recipe, split: Split | None = None) -> Task:
    """The task of a data set: its natural split unless another is given."""
    torch.set_num_threads(recipe.threads)
    content = fit_content(data.catalog, recipe.item_to_item.content_neighbours)
    return Task(data, recipe, split or natural_split(data), content)


def fit(data: TrainingData, recipe: Recipe, workspace: Path | None = None, split: Split | None = None) -> Fitted:
    """Choose on validation, report on test, refit on all events.

    workspace: folder of the sequential checkpoint, from which a killed run continues. Raises TooFewPurchases when the
    split leaves no validation case.
    """
    clock, task = Clock(), task_of(data, recipe, split)
    if not len(task.split.validation):
        raise TooFewPurchases(
            f"{data.name}: no validation case in the split {task.split.name}; nothing can be chosen honestly"
        )
    tables = choose_tables(data, task.split, task.content, recipe)
    clock.lap("item_to_item")
    sequential = _sequential(task, tables, workspace)
    clock.lap("sequential")
    verdict = _verdict(task, tables, sequential)
    clock.lap("ranker")
    ranker = verdict.ranker if verdict.shipped == "ranker" else None
    models = Models(tables, sequential if verdict.with_sequential else None, ranker, verdict.popularity)
    tested = report(task, models)
    clock.lap("test")
    final, retrieval = refit(task, data.events, replace(models, sequential=tested.retrieval.sequential))
    clock.lap("refit")
    metrics = validation_metrics(verdict, recipe.seed) | tested.metrics
    metrics |= {
        "sequential/epochs": float(sequential.epochs),
        "sequential/stopped_by_clock": float(sequential.stopped_by_clock),
        "cpu_seconds": clock.cpu(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    choices = _choices(tables, verdict)
    return Fitted(data, recipe, retrieval, final, ranker, choices, metrics, tested, task.split.name, clock.laps)


def report(task: Task, models: Models) -> Tested:
    """Popularity, item-to-item and the shipped model on the test cases.

    The counts are computed again when the split lets the reported model use more events than `train`.
    """
    recipe, split, catalog = task.recipe, task.split, task.data.catalog
    tables = models.tables
    if split.before_test is not split.train:
        tables, retrieval = refit(task, split.before_test, models)
    else:
        retrieval = retrieval_of(task, split.before_test, tables, models.sequential)
    cases = sample(split.test, recipe.judged_cases, recipe.seed)
    if not len(cases):
        return Tested(retrieval, tables, {}, {})
    judged = {
        "popularity": judge(retrieval.popularity[models.popularity].score, cases, catalog),
        "item_to_item": judge(tables.for_you.score, cases, catalog),
    }
    judged["shipped"] = (
        judge(RankedScorer(retrieval, models.ranker, recipe.ranker), cases, catalog)
        if models.ranker
        else judged["item_to_item"]
    )
    bought = np.bincount(split.before_test.item, minlength=len(catalog))
    slices = cold_slices(judged["shipped"], cases, bought)
    metrics = _test_metrics(judged, recipe.seed) | {f"test/shipped/{key}": value for key, value in slices.items()}
    return Tested(retrieval, tables, judged, metrics)


def repeat(data: TrainingData, recipe: Recipe, choices: Choices) -> Judged | None:
    """Judge an earlier method on the test cases of these data: same split, its recipes and choices, no new choices.

    None without test cases.
    """
    task = task_of(data, recipe)
    split = task.split
    tables = tables_of(split.train, task.content, choices.for_you, choices.related, choices.basket)
    sequential = _sequential(task, tables, None) if choices.with_sequential else None
    ranker = None
    if choices.shipped == "ranker" and len(split.validation):
        retrieval = retrieval_of(task, split.train, tables, sequential)
        cases = sample(split.validation, recipe.ranker.cases, recipe.seed)
        ranker = fit_ranker(propose_all(retrieval, cases, recipe.ranker), retrieval.inputs, recipe.ranker, recipe.seed)
    return report(task, Models(tables, sequential, ranker, choices.popularity)).judged.get("shipped")


def retrieval_of(task: Task, events: Events, tables: Tables, sequential: SequentialFit | None) -> Retrieval:
    """Tables, sequential model and the three popularities of the same events."""
    data, lives = task.data, half_lives(task.recipe.popularity_half_lives)
    recent, month, ever = (fit_popularity(events, len(data.catalog), life) for life in lives)
    return Retrieval(data.catalog, tables.for_you, sequential, (recent, month, ever), data.features, data.user_ids)


def refit(task: Task, events: Events, models: Models) -> tuple[Tables, Retrieval]:
    """Fit all models on other events with the same choices.

    Counts are computed again; the sequential model continues from its weights.
    """
    old, recipe, sequential = models.tables, task.recipe.sequential, models.sequential
    tables = tables_of(events, task.content, old.for_you_recipe, old.related_recipe, old.basket_recipe)
    if sequential is not None:
        shorter = replace(recipe, epochs=max(recipe.epochs // 4, 1), max_seconds=recipe.max_seconds / 3)
        items = len(task.data.catalog)
        sequential = fit_sequential(events, items, shorter, task.recipe.seed, weights=sequential.model)
    return tables, retrieval_of(task, events, tables, sequential)


def _sequential(task: Task, tables: Tables, workspace: Path | None) -> SequentialFit:
    """The sequential model of the training events, initialised from the neighbour table."""
    table, recipe = tables.for_you.table, task.recipe
    checkpoint = workspace / "sequential.checkpoint.pt" if workspace else None
    fitted = fit_sequential(
        task.split.train, table.shape[0], recipe.sequential, recipe.seed, start=table, checkpoint=checkpoint
    )
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return fitted


def _verdict(task: Task, tables: Tables, sequential: SequentialFit) -> Verdict:
    """Which model ships, judged on the validation cases."""
    plain = retrieval_of(task, task.split.train, tables, None)
    cases = sample(task.split.validation, task.recipe.ranker.cases, task.recipe.seed)
    return decide(plain, replace(plain, sequential=sequential), cases, task.recipe)


def _choices(tables: Tables, verdict: Verdict) -> Choices:
    """The choices that are stored so that the method can be repeated."""
    return Choices(
        tables.for_you_recipe,
        tables.related_recipe,
        tables.basket_recipe,
        verdict.shipped,
        verdict.with_sequential,
        verdict.popularity,
    )


def _test_metrics(judged: dict[str, Judged], seed: int) -> dict[str, float]:
    """Flat metrics of every judged model and the paired gain of the shipped model over popularity."""
    metrics = {
        f"test/{name}/{key}": value for name, found in judged.items() for key, value in found.summary(seed).items()
    }
    over = gain(judged["shipped"], judged["popularity"], seed)
    return metrics | {
        "test/gain_over_popularity": over.mean,
        "test/gain_over_popularity_low": over.low,
        "test/gain_over_popularity_high": over.high,
    }

"""Complete frozen configurations. Each is made by a function; there are no flags."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True)
class ItemToItemRecipe:
    """Parameters of models/item_to_item.py. `ItemToItemSearch` chooses them on the validation cases of a set."""

    window: int = 3
    half_life_days: float | None = None
    basket_size_power: float = 0.8
    backward: float = 0.3
    shrink: float = 0.5
    seed_power: float = 0.5
    target_power: float = 0.4
    transition_weight: float = 1.0
    basket_weight: float = 1.0
    content_weight: float = 0.1
    decay: float = 0.7
    neighbours: int = 200
    pruned: int = 400
    content_neighbours: int = 100


Choice = tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class ItemToItemSearch:
    """Coordinates tried in turn on at most `cases` validation cases; a value stays when NDCG@10 rises."""

    cases: int = 600
    rounds: int = 1
    half_lives: tuple[float | None, ...] = (None, 120.0)
    for_you: Choice = (
        ("content_weight", (0.0, 0.05, 0.2)),
        ("seed_power", (0.3, 0.7)),
        ("target_power", (0.2, 0.5)),
        ("decay", (0.5, 0.85)),
        ("transition_weight", (0.3, 3.0)),
        ("backward", (0.0, 1.0)),
    )
    one_seed: Choice = (
        ("content_weight", (0.0, 0.05, 0.2)),
        ("seed_power", (0.2, 0.7)),
        ("target_power", (0.2, 0.5)),
        ("transition_weight", (0.0, 0.3)),
    )


@dataclass(frozen=True)
class SequentialRecipe:
    """A causal transformer over the last `length` purchases; sampled softmax with `negatives` shared by a batch.

    epochs decides the length of a fit, so that a run is repeatable; max_seconds only guards a slow machine and is
    reported when it stopped the fit.
    """

    width: int = 64
    blocks: int = 1
    heads: int = 1
    length: int = 50
    dropout: float = 0.2
    negatives: int = 512
    batch_tokens: int = 4096
    learning_rate: float = 1e-3
    epochs: int = 8
    max_seconds: float = 25.0
    svd_start: bool = True


@dataclass(frozen=True)
class RankerRecipe:
    """Listwise softmax MLP over retrieved candidates.

    shown: candidates kept per case for fitting, the relevant ones first, the rest at random.
    """

    from_item_to_item: int = 150
    from_sequential: int = 100
    from_popularity: int = 50
    hidden: int = 32
    cases: int = 2000
    shown: int = 80
    batch: int = 128
    epochs: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    folds: int = 2


@dataclass(frozen=True)
class Recipe:
    """One complete run."""

    name: str
    seed: int = 7
    threads: int = 1
    popularity_half_lives: tuple[float, ...] = (7.0, 30.0)
    item_to_item: ItemToItemRecipe = field(default_factory=ItemToItemRecipe)
    search: ItemToItemSearch = field(default_factory=ItemToItemSearch)
    sequential: SequentialRecipe = field(default_factory=SequentialRecipe)
    ranker: RankerRecipe = field(default_factory=RankerRecipe)
    judged_cases: int = 4000


def demo() -> Recipe:
    """At most a minute on two cores with a few thousand products."""
    return Recipe("demo", sequential=SequentialRecipe(epochs=5, max_seconds=15.0))


def full() -> Recipe:
    """Benchmarks and nightly training: the sequential model may take ten minutes."""
    return Recipe(
        "full",
        threads=2,
        sequential=SequentialRecipe(epochs=30, max_seconds=600.0),
        ranker=RankerRecipe(cases=8000, folds=3),
        judged_cases=30_000,
    )


def steady() -> Recipe:
    """Used for published figures: a few minutes, without a time limit, so that figures do not depend on the load."""
    return replace(
        demo(),
        name="steady",
        sequential=SequentialRecipe(epochs=10, max_seconds=7200.0),
        ranker=RankerRecipe(cases=6000, folds=3),
        judged_cases=30_000,
    )


def tiny() -> Recipe:
    """Seconds on a few hundred lines; used by the tests and the demo's test run."""
    return Recipe(
        "tiny",
        search=ItemToItemSearch(
            cases=200, half_lives=(None,), for_you=(("content_weight", (0.0,)),), one_seed=(("content_weight", (0.0,)),)
        ),
        sequential=SequentialRecipe(width=16, length=10, negatives=32, epochs=3, max_seconds=30.0),
        ranker=RankerRecipe(from_item_to_item=20, from_sequential=10, from_popularity=10, hidden=8, epochs=15),
        judged_cases=500,
    )


RecipeName = Literal["demo", "full", "steady", "tiny"]
RECIPES: dict[str, Callable[[], Recipe]] = {"demo": demo, "full": full, "steady": steady, "tiny": tiny}


def recipe_from(document: dict[str, object]) -> Recipe:
    """A recipe from the JSON of `dataclasses.asdict`. Raises TypeError for fields that this version does not have."""

    def part(name: str) -> dict[str, object]:
        value = document[name]
        if not isinstance(value, dict):
            raise TypeError(f"recipe: {name} is no object")
        return dict(value)

    search = part("search")
    search["half_lives"] = tuple(search["half_lives"])  # type: ignore[arg-type]  # JSON list of numbers
    for name in ("for_you", "one_seed"):
        search[name] = tuple((key, tuple(values)) for key, values in search[name])  # type: ignore[attr-defined]  # JSON lists of pairs
    plain = {key: value for key, value in document.items() if not isinstance(value, dict)}
    plain["popularity_half_lives"] = tuple(document["popularity_half_lives"])  # type: ignore[arg-type]  # JSON list of numbers
    return Recipe(
        **plain,  # type: ignore[arg-type]  # JSON values of the fields' own types
        item_to_item=ItemToItemRecipe(**part("item_to_item")),  # type: ignore[arg-type]  # the same
        search=ItemToItemSearch(**search),  # type: ignore[arg-type]  # the same
        sequential=SequentialRecipe(**part("sequential")),  # type: ignore[arg-type]  # the same
        ranker=RankerRecipe(**part("ranker")),  # type: ignore[arg-type]  # the same
    )

"""The three neighbour tables: the search for each one's recipe on validation, and the tables of given recipes."""

from dataclasses import dataclass, replace

from scipy import sparse

from training.data.cases import Cases
from training.data.datasets import Catalog, Events, TrainingData
from training.data.splits import Split, basket_cases, last_item_only, sample
from training.judging.scores import judge
from training.recommender.models.item_to_item import Counts, ItemToItem, count, mix
from training.recommender.recipes import Choice, ItemToItemRecipe, Recipe


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
class _Search:
    """Coordinate search on validation NDCG@10, first over the half lives in `counts`.

    A value stays unless another is better.
    """

    counts: dict[float | None, Counts]
    catalog: Catalog
    rounds: int

    def best(
        self, start: ItemToItemRecipe, grid: Choice, cases: Cases, removed: Cases | None = None
    ) -> ItemToItemRecipe:
        """The best recipe for these cases. removed: cases whose history is taken out instead of the cases' own."""
        if not len(cases):
            return start

        def value(recipe: ItemToItemRecipe) -> float:
            table = mix(self.counts[recipe.half_life_days], recipe)
            return float(judge(table.score, cases, self.catalog, removed).values["ndcg@10"].mean())

        lives = [replace(start, half_life_days=life) for life in self.counts]
        reached, best = max(((value(recipe), recipe) for recipe in lives), key=lambda pair: pair[0])
        for _ in range(self.rounds):
            for name, values in grid:
                for number in values:
                    tried = replace(best, **{name: number})  # type: ignore[arg-type]  # grid names are float fields
                    found = value(tried)
                    if found > reached:
                        best, reached = tried, found
        return best


def choose_tables(data: TrainingData, split: Split, content: sparse.csr_matrix, recipe: Recipe) -> Tables:
    """Search the recipe of each table on validation.

    for_you: history -> next; related: one seed -> next or same basket; basket: basket -> hidden line.
    """
    grids, start = recipe.search, recipe.item_to_item
    lives = grids.half_lives if data.timed else (None,)
    counts = {
        life: count(split.train, content, len(data.catalog), replace(start, half_life_days=life)) for life in lives
    }
    search = _Search(counts, data.catalog, grids.rounds)
    history = sample(split.validation, grids.cases, recipe.seed)
    for_you = search.best(start, grids.for_you, history)
    if data.form == "sequences":
        related = search.best(start, grids.one_seed, last_item_only(history), removed=history)
        return _mixed(counts, for_you, related, related)
    inside = (data.events.time >= split.validation.moment) & (data.events.time < split.test.moment)
    alone = replace(start, transition_weight=0.3)
    seeds = basket_cases(data.events, inside, recipe.seed, grids.cases, seeds_only=True)
    related = search.best(alone, grids.one_seed, seeds)
    baskets = basket_cases(data.events, inside, recipe.seed, grids.cases)
    basket = search.best(replace(alone, decay=1.0), grids.one_seed, baskets)
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

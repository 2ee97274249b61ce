"""Does a candidate replace the champion? Pure decision over judged cases, and the champion's method repeated on today's
data."""

import json
from pathlib import Path

from training.data.datasets import TrainingData
from training.judging.scores import Judged, gain
from training.recommender.fit import Choices, Fitted, repeat
from training.recommender.recipes import ItemToItemRecipe, Recipe, recipe_from


def decide_promotion(
    candidate: Judged | None,
    popularity: Judged | None,
    champion: Judged | None,
    *,
    same_columns: bool,
    newer_data: bool,
    seed: int,
) -> tuple[bool, str]:
    """(promote, why).

    The candidate must beat popularity: paired 95 % interval above zero. Against a champion it must be better (interval
    above zero), or not worse (interval reaches zero) with newer data, because a model that knows this week's products
    at equal quality is worth more. A champion fitted on other feature columns cannot serve any more and is not
    compared.
    """
    if candidate is None or popularity is None:
        return False, "no test case: nothing proves the candidate"
    over = gain(candidate, popularity, seed)
    if over.low <= 0:
        return False, f"does not beat popularity: NDCG@10 gain {over.mean:+.4f} [{over.low:+.4f}, {over.high:+.4f}]"
    words = f"beats popularity by {over.mean:+.4f} [{over.low:+.4f}, {over.high:+.4f}]"
    if champion is None:
        return True, f"{words}; there is no champion"
    if not same_columns:
        return True, f"{words}; the champion was fitted on other feature columns"
    change = gain(candidate, champion, seed)
    against = f"NDCG@10 against the champion {change.mean:+.4f} [{change.low:+.4f}, {change.high:+.4f}]"
    if change.low > 0:
        return True, f"{words}; better: {against}"
    if newer_data and change.high >= 0:
        return True, f"{words}; not worse and newer data: {against}"
    return False, f"{words}; not better: {against}"


def judge_promotion(fitted: Fitted, champion: Path | None) -> tuple[bool, str]:
    """The decision for a fresh fit against the champion's bundle directory (None = there is none).

    The champion's method (recipe and choices) is fitted anew before today's test start and judged on today's test
    cases: its own weights may have seen those weeks, and would win unfairly.
    """
    candidate, popularity = fitted.tested.judged.get("shipped"), fitted.tested.judged.get("popularity")
    if champion is None:
        return decide_promotion(
            candidate, popularity, None, same_columns=True, newer_data=True, seed=fitted.recipe.seed
        )
    document = json.loads((champion / "bundle.json").read_text())
    features = fitted.data.features
    same_columns = not features or document["columnsHash"] == features.columns_hash
    newer = fitted.data.watermark_lsn > document["watermarkLsn"] or (
        fitted.data.watermark_lsn == document["watermarkLsn"] and fitted.data.data_hash() != document["dataHash"]
    )
    recipe, choices = recipe_from(document["recipe"]), _choices(document["choices"])
    again = (
        candidate
        if (recipe, choices) == (fitted.recipe, fitted.choices)
        else _repeat(fitted.data, recipe, choices, same_columns)
    )
    return decide_promotion(
        candidate, popularity, again or candidate, same_columns=same_columns, newer_data=newer, seed=fitted.recipe.seed
    )


def _repeat(data: TrainingData, recipe: Recipe, choices: Choices, same_columns: bool) -> Judged | None:
    return repeat(data, recipe, choices) if same_columns else None


def _choices(document: dict[str, object]) -> Choices:
    """Choices of bundle.json."""
    recipes = {}
    for name in ("for_you", "related", "basket"):
        values = document[name]
        assert isinstance(values, dict)
        recipes[name] = ItemToItemRecipe(**values)
    return Choices(
        **recipes,
        shipped=str(document["shipped"]),
        with_sequential=bool(document["with_sequential"]),
        popularity=int(str(document["popularity"])),
    )

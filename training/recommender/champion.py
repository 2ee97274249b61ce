"""Compares a new fit with the champion, whose method is repeated on today's data."""

import json
from pathlib import Path

from training.data.datasets import TrainingData
from training.judging.scores import Judged
from training.recommender.fit import Choices, Fitted, repeat
from training.recommender.recipes import ItemToItemRecipe, Recipe, recipe_from
from training.registry.promotion import decide_promotion


def judge_promotion(fitted: Fitted, champion: Path | None) -> tuple[bool, str]:
    """The decision between a new fit and the champion's bundle directory (None = there is none).

    The champion's method (recipe and choices) is fitted again before today's test start and judged on today's test
    cases: its own weights may have been fitted on those weeks, which would bias the comparison.
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
    """The choices stored in bundle.json."""
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

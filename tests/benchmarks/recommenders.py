"""`python -m tests.benchmarks.recommenders [--data ROOT] [--recipe NAME]`: recommender quality on the real sets.

Evaluates ROOT and every set below it (default: `../shared/data/recsys`, relative to the checkout) by all protocols of
its format. Each line is one protocol and model: `ours` is NDCG@10 on test, `limit` is popularity in the same run on the
same cases. The line also holds all other metrics. Without data sets it says so and exits 0.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tests.benchmarks.results import record
from training.data.datasets import BadTrainingData
from training.data.real_sets import read_set
from training.recommender.evaluation import Row, evaluate
from training.recommender.recipes import RECIPES, RecipeName
from warehouse.command import program
from warehouse.logs import configure


@program("python -m tests.benchmarks.recommenders")
def main(
    data_path: Annotated[Path, typer.Option("--data", help="A real set, or a folder of them.")] = Path(
        "../shared/data/recsys"
    ),
    recipe_name: Annotated[RecipeName, typer.Option("--recipe", help="The recipe to fit.")] = "steady",
) -> int:
    """Evaluate and record."""
    configure("info")
    if not data_path.is_dir():
        sys.stderr.write(f"{data_path}: not there, nothing to measure\n")
        return 0
    for folder in (data_path, *sorted(path for path in data_path.iterdir() if path.is_dir())):
        try:
            data = read_set(folder)
        except BadTrainingData as error:
            sys.stderr.write(f"skipped: {error}\n")
            continue
        recipe = RECIPES[recipe_name]()
        record_rows(evaluate(data, recipe), recipe=recipe_name, seed=recipe.seed, data_hash=data.data_hash()[:16])
    return 0


def record_rows(rows: list[Row], **stamp: object) -> None:
    """Record each row that has NDCG@10. The shipped model's line also holds the protocol's paired gains and costs."""
    scored = {(str(row["protocol"]), str(row["model"])): _metrics(row) for row in rows}
    for (protocol, model), metrics in scored.items():
        if "ndcg@10" not in metrics:
            continue
        popularity = scored.get((protocol, "popularity"), {}).get("ndcg@10")
        extra: dict[str, object] = {"metrics": metrics}
        if model.startswith("shipped"):
            extra["gains_and_cost"] = next(
                (m for (p, _), m in scored.items() if p.startswith(f"{protocol} (paired")), {}
            )
        low, high, found = (metrics[name] for name in ("ndcg@10_low", "ndcg@10_high", "recall@10"))
        note = (
            f"95 % {low:.4f} to {high:.4f}; Recall@10 {found:.4f}; coverage@10 {metrics['coverage@10']:.2f};"
            f" {metrics['cases']:.0f} cases"
        )
        name = f"{rows[0]['set']}: {protocol}: {model}"
        record(
            "recommenders",
            name,
            ours=metrics["ndcg@10"],
            limit=popularity,
            unit="NDCG@10",
            note=note,
            lower_is_better=False,
            **extra,
            **stamp,
        )


def _metrics(row: Row) -> dict[str, float]:
    metrics = row["metrics"]
    assert isinstance(metrics, dict)
    return metrics


if __name__ == "__main__":
    sys.exit(main())

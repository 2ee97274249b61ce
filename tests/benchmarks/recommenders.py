"""`python -m tests.benchmarks.recommenders [--data ROOT] [--recipe NAME]`: recommender quality on the real sets.

Evaluates ROOT and every set below it (default: `../shared/data/recsys`, relative to the checkout) by all protocols of
its format. Each line is one protocol and model: `ours` is NDCG@10 on test, `limit` is popularity in the same run on the
same cases. The line also holds all other metrics. Without data sets it says so and exits 0.
"""

import argparse
import sys
from pathlib import Path

from tests.benchmarks.results import record
from training.data.datasets import BadTrainingData
from training.data.real_sets import read_set
from training.recommender.evaluation import Row, evaluate
from training.recommender.recipes import RECIPES
from warehouse.logs import configure


def main() -> int:
    """Evaluate and record."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/recsys"))
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="steady")
    options = parser.parse_args()
    configure("info")
    if not options.data.is_dir():
        sys.stderr.write(f"{options.data}: not there, nothing to measure\n")
        return 0
    for folder in (options.data, *sorted(path for path in options.data.iterdir() if path.is_dir())):
        try:
            data = read_set(folder)
        except BadTrainingData as error:
            sys.stderr.write(f"skipped: {error}\n")
            continue
        recipe = RECIPES[options.recipe]()
        record_rows(evaluate(data, recipe), recipe=options.recipe, seed=recipe.seed, data_hash=data.data_hash()[:16])
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
    raise SystemExit(main())

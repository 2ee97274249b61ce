"""`python -m training.recommender.train [--data PATH] [--recipe NAME]`: one training run."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from training.recommender.recipes import RECIPES, RecipeName
from training.settings import TrainingSettings
from warehouse.command import program
from warehouse.logs import configure


@program("python -m training.recommender.train")
def main(
    data_path: Annotated[Path | None, typer.Option("--data", help="A real set instead of the lake.")] = None,
    recipe: Annotated[
        RecipeName | None, typer.Option(help="Named settings of the training; default: by SOUK_PROFILE.")
    ] = None,
) -> int:
    """Train on the current lake, or on a set in real-set form. stdout is one JSON document; progress goes to stderr."""
    # torch, mlflow and polars are loaded once the options are read.
    from training.data.datasets import BadTrainingData
    from training.data.readers import read_inputs
    from training.data.real_sets import read_set
    from training.recommender.training_run import AlreadyTraining, run

    configure("info")
    settings = TrainingSettings()
    try:
        data = read_set(data_path) if data_path else read_inputs(settings)
        result = run(data, settings, RECIPES[recipe]() if recipe else None)
    except (AlreadyTraining, BadTrainingData) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps({**asdict(result), "bundle": str(result.bundle)}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

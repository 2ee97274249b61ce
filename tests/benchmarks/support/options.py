"""Options that several benchmarks of the running shop have."""

import os
from typing import Annotated

import typer

CORES = os.cpu_count() or 1
Workers = Annotated[int, typer.Option(min=1, help="Processes of the API.")]
Profile = Annotated[
    bool, typer.Option("--profile", help="Only say where the processor time goes, on stderr; nothing is recorded.")
]

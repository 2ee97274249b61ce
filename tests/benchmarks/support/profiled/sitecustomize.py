"""Installs the sampler in every Python process that has BENCH_PROFILE in its environment, workers included."""

import os
from pathlib import Path

if folder := os.environ.get("BENCH_PROFILE"):
    from tests.benchmarks.support.sampler import install

    install(Path(folder))

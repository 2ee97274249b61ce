"""`python -m orchestration.cli` is `souk`."""

from orchestration.cli.app import app

app()

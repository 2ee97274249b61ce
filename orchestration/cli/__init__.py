"""The `souk` command: thin adapters over `orchestration.runtime` and over the programs of the other packages."""

from orchestration.cli.app import app

__all__ = ["app"]

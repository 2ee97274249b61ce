"""The `souk` command: adapters around `orchestration.runtime` and the programs of the other packages."""

from orchestration.cli.app import app

__all__ = ["app"]

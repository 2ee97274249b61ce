"""Requests to read a table again: one empty file per table, so that a request outlives cdc and its death."""

from collections.abc import Iterable
from pathlib import Path


def requested(folder: Path) -> set[str]:
    """The tables that somebody asked for."""
    try:
        return {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return set()


def settle(folder: Path, tables: Iterable[str] | None = None) -> None:
    """These requests, or all of them, are met or recorded in the lake."""
    for name in requested(folder) if tables is None else tables:
        (folder / name).unlink(missing_ok=True)

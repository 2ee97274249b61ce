"""The templates of every area of pages: they extend one base, and write days and times alike."""

from datetime import date, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

_BASE = Path(__file__).parent / "templates"


def environment(*folders: Path) -> Environment:
    """Of the templates in these folders, each found before those of the later ones and of the base."""
    made = Environment(
        loader=FileSystemLoader([*folders, _BASE]),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(day=day, minute=minute)
    return made


def day(value: date) -> str:
    """`3 Mar 2026`"""
    return f"{value.day} {value:%b %Y}"


def minute(value: datetime) -> str:
    """`3 Mar 2026, 14:05`"""
    return f"{value.day} {value:%b %Y, %H:%M}"

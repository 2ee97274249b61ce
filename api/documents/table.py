"""Tables on sheets: columns of a width, cells of several lines, the head again on each page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from api.documents import text
from api.documents.sheet import LIGHT, Align, Sheet

_LEADING = 1.3
_GAP = 4.0


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    width: float
    align: Align = "left"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next row goes, and the last base that a page has room for."""

    x: float
    y: float
    bottom: float


def table(
    sheet: Sheet,
    place: Place,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    next_page: Callable[[], float],
    *,
    size: float = 8.5,
) -> float:
    """Draw `rows`; returns the y below the last one. `next_page` begins a page and says where the table goes on.

    A row is never divided, unless it is higher than a page."""
    y = _head(sheet, place.x, place.y, columns, size)
    for row in rows:
        cells = [
            text.wrapped(cell, column.width - _GAP, size, most=_most(place, size))
            for column, cell in zip(columns, row, strict=True)
        ]
        height = max(len(lines) for lines in cells) * size * _LEADING + _GAP
        if y + height > place.bottom:
            y = _head(sheet, place.x, next_page(), columns, size)
        _cells(sheet, (place.x, y + size), columns, cells, size)
        y += height
        sheet.line(place.x, y - 1, place.x + sum(column.width for column in columns), y - 1, width=0.3, gray=LIGHT)
    return y


def _most(place: Place, size: float) -> int:
    """Lines of a cell, so that a row fits on a page of its own."""
    return max(1, int((place.bottom * 0.6) // (size * _LEADING)))


def _head(sheet: Sheet, x: float, y: float, columns: Sequence[Column], size: float) -> float:
    titles = [text.wrapped(column.title, column.width - _GAP, size, bold=True) for column in columns]
    height = max(len(lines) for lines in titles) * size * _LEADING + _GAP
    _cells(sheet, (x, y + size), columns, titles, size, bold=True)
    sheet.line(x, y + height - 1, x + sum(column.width for column in columns), y + height - 1)
    return y + height


def _cells(
    sheet: Sheet,
    at: tuple[float, float],
    columns: Sequence[Column],
    cells: Sequence[Sequence[str]],
    size: float,
    *,
    bold: bool = False,
) -> None:
    x, y = at
    for column, lines in zip(columns, cells, strict=True):
        edge = {"left": x, "right": x + column.width, "center": x + column.width / 2}[column.align]
        for number, line in enumerate(lines):
            sheet.drawn(edge, y + number * size * _LEADING, line, size=size, bold=bold, align=column.align)
        x += column.width

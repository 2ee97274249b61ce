"""Records of a file of products: CSV with its first row, or JSON by line. Each says where the next one begins."""

import csv
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import SEEK_END
from typing import BinaryIO, Literal, NoReturn

from api.bulk.files import cells, columns
from api.bulk.files.columns import Column
from api.bulk.files.lines import BOM, MAX_RECORD_BYTES, Broken, Lines, Place, TooLong

Format = Literal["csv", "jsonl"]
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
MAX_COLUMNS = 2_000
MAX_BLANK_ROWS = 100  # before the first row
_LONG = f"longer than {MAX_RECORD_BYTES >> 20} MiB"
_UTF8 = "save the file as UTF-8"
csv.field_size_limit(MAX_RECORD_BYTES)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a row: the column (empty: the whole row), the reason, and what to do."""

    field: str
    message: str
    fix: str


class FileError(ValueError):
    """A file that cannot be read at all."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__(findings[0].message)
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Record:
    """One row. `number` counts from 1 and with the first row, as a spreadsheet does. `values`: of the columns that the
    row says something about, None for a blank one; `end`: where the next row begins."""

    number: int
    values: Mapping[Column, object]
    findings: Sequence[Finding]
    end: Place


@dataclass(frozen=True, slots=True)
class Table:
    """How a file is written: for CSV its delimiter and the column of each place, None for a place without a name."""

    format: Format
    start: Place
    delimiter: str = ","
    columns: tuple[Column | None, ...] = ()

    def records(self, file: BinaryIO, place: Place) -> Iterator[Record]:
        """The rows from a place on; a row that cannot be read has findings."""
        lines = Lines(file, max(place, self.start, key=lambda one: one.at))
        number = max(place.row, self.start.row)
        return _jsonl(lines, number) if self.format == "jsonl" else _csv(self, lines, number)


def table_of(file: BinaryIO, form: Format) -> Table:
    """Find out how the file is written. Raises: FileError."""
    start = _start(file)
    return Table("jsonl", start) if form == "jsonl" else _headed(file, start)


def _start(file: BinaryIO) -> Place:
    """After the byte order mark. Raises: FileError for what is no text."""
    size = file.seek(0, SEEK_END)
    file.seek(0)
    head = file.read(4_096)
    start = Place(len(BOM)) if head.startswith(BOM) else Place()
    if size <= start.at:
        raise FileError(Finding("", "the file is empty", "send a file with a row for each variant"))
    if head.startswith((b"PK\x03\x04", b"\x1f\x8b")):
        kind = "a workbook or an archive" if head.startswith(b"PK") else "compressed"
        raise FileError(Finding("", f"the file is {kind}", "save it as CSV in UTF-8, and do not compress it"))
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise FileError(Finding("", "the file is UTF-16 or no text", _UTF8))
    return start


def _headed(file: BinaryIO, start: Place) -> Table:
    found = [_first_row(file, start, delimiter) for delimiter in DELIMITERS]
    best = max(found, key=lambda row: (sum(columns.find(name) is not None for name in row[1]), len(row[1])))
    delimiter, named, end = best
    if named and named[0].lstrip()[:1] in {"{", "["}:
        raise FileError(Finding("", "the file is JSON", "ask with format=jsonl, one object a line"))
    if len(named) > MAX_COLUMNS:
        message = f"the first row names {len(named):,} columns, and at most {MAX_COLUMNS:,} are taken"
        raise FileError(Finding("", message, "leave out columns, or send JSON by line"))
    known = [columns.find(name) if name else None for name in named]
    if not any(known):
        message = "the first row names no known column, with a comma, a semicolon, a tab or a bar between them"
        raise FileError(Finding("", message, f"name columns in the first row: {', '.join(columns.names())}"))
    problems = [_unknown(name) for name, column in zip(named, known, strict=True) if name and column is None]
    placed = [column.name for column in known if column is not None]
    twice = {name: None for name in placed if placed.count(name) > 1} if len({*placed}) < len(placed) else {}
    problems += [Finding(name, f"the first row names {name} twice", "name each column once") for name in twice]
    if columns.SKU not in placed:
        problems.append(Finding(columns.SKU, "the first row names no column sku", "a row is known by its SKU: add it"))
    if problems:
        raise FileError(*problems)
    return Table("csv", end, delimiter, tuple(known))


def _unknown(name: str) -> Finding:
    known = columns.names()
    near = difflib.get_close_matches(name[:100], known, 1)
    return Finding(
        name[:100], f"no column is called {name[:100]!r}", f"write {near[0]}" if near else f"one of {', '.join(known)}"
    )


def _first_row(file: BinaryIO, start: Place, delimiter: str) -> tuple[str, list[str], Place]:
    """The delimiter, the names it gives, and where the second row begins. Raises: FileError."""
    lines, number, row = Lines(file, start), 0, list[str]()
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        while not row and number < MAX_BLANK_ROWS:
            row, number = next(reader, []), number + 1
    except TooLong:
        raise FileError(Finding("", f"the first row is {_LONG}", "name columns in the first row")) from None
    except csv.Error as error:
        return delimiter, [str(error)], Place()
    if lines.broken is not None:
        raise FileError(_not_utf8(lines.broken))
    return delimiter, [cells.unmarked(name).strip() for name in row], Place(lines.at, number, lines.line)


def _csv(table: Table, lines: Lines, number: int) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=table.delimiter, strict=True)
    while True:
        lines.begin()
        row, problem = list[str](), None
        try:
            row = next(reader)
        except StopIteration:
            return
        except (TooLong, csv.Error) as error:
            problem = _unreadable(error, lines)
        number += 1
        end = Place(lines.at, number, lines.line)
        if problem is None and lines.broken is not None:
            problem = _not_utf8(lines.broken)
        if problem is not None:
            yield Record(number, {}, [problem], end)
        elif row:
            yield _record(table, row, number, end)


def _unreadable(error: Exception, lines: Lines) -> Finding:
    """What is wrong with the row; when a quotation mark took in further lines, they are read again on their own."""
    assert lines.after_first is not None
    at, line = lines.after_first
    if lines.line > line:
        lines.go_to(Place(at, 0, line))
        message = f"a quotation mark in line {line} is not closed, or is not followed by the delimiter"
        return Finding("", message, "close it, and write a quotation mark in a text twice")
    if isinstance(error, TooLong):
        return Finding("", f"the row is {_LONG}", "shorten it")
    message = f"line {line} cannot be read: {error}"
    return Finding("", message, "put a text with a quotation mark in it in quotation marks, and write it twice")


def _record(table: Table, row: Sequence[str], number: int, end: Place) -> Record:
    named = len(table.columns)
    if len(row) < named or any(cell.strip() for cell in row[named:]):
        mark = DELIMITERS[table.delimiter]
        message = f"the row has {len(row):,} cells, the first row names {named:,}"
        return Record(number, {}, [Finding("", message, f"put a text with {mark} in it in quotation marks")], end)
    values: dict[Column, object] = {}
    findings = []
    for column, text in zip(table.columns, row, strict=False):
        cell = cells.unmarked(text).strip()
        if column is None:
            if cell:
                findings.append(Finding("", f"{cell[:50]!r} is in a column without a name", "name it in the first row"))
            continue
        try:
            values[column] = cells.read(column.kind, cell) if cell else None
        except cells.CellError as error:
            findings.append(Finding(column.name, error.message, error.fix))
    if not findings and not any(value is not None for value in values.values()):
        findings.append(Finding("", "the row is blank", "take it out"))
    return Record(number, values, findings, end)


def _jsonl(lines: Lines, number: int) -> Iterator[Record]:
    known = columns.columns()
    while True:
        lines.begin()
        text, problem = "", None
        try:
            text = next(lines)
        except StopIteration:
            return
        except TooLong:
            problem = Finding("", f"the line is {_LONG}", "shorten it")
        number += 1
        end = Place(lines.at, number, lines.line)
        if problem is None and lines.broken is not None:
            problem = _not_utf8(lines.broken)
        if problem is None and not text.strip():
            continue
        if problem is not None:
            yield Record(number, {}, [problem], end)
        else:
            yield _object(text, known, number, end)


def _object(text: str, known: Mapping[str, Column], number: int, end: Place) -> Record:
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        message = f"not JSON: {str(error)[:100]}"
        return Record(number, {}, [Finding("", message, "write one JSON object in one line")], end)
    if not isinstance(found, dict):
        return Record(number, {}, [Finding("", "not a JSON object", "write one JSON object in one line")], end)
    values = {known[name]: value for name, value in found.items() if name in known}
    return Record(number, values, [_unknown(name) for name in found if name not in known][:20], end)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _not_utf8(broken: Broken) -> Finding:
    message = f"byte {broken.byte} of line {broken.line} is not UTF-8 (0x{broken.value:02X})"
    return Finding("", message, _UTF8)

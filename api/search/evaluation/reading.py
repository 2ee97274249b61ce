"""Reads a folder of products, queries and judgements, row by row, and refuses what is damaged by file, line and column.

products.csv[.gz]    id, title; description, category, brand, price where there are such; each further column is an
                     attribute
queries.csv[.gz]     query_id, query
judgements.csv[.gz]  query_id, product_id, gain
"""

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# Names of columns that mean the same, the one of this form first; case and blanks do not count.
IDS = ("id", "product_id", "item_id", "productid", "itemid")
TITLES = ("title", "name", "product_title", "product_name")
DESCRIPTIONS = ("description", "product_description")
CATEGORIES = ("category", "category_path", "category_hierarchy", "product_category", "product_class")
BRANDS = ("brand", "product_brand", "brand_name")
PRICES = ("price",)
QUERY_IDS = ("query_id", "queryid", "qid", "id")
QUERIES = ("query", "query_text", "text", "search_term", "search_terms", "keywords")
JUDGED = ("product_id", "productid", "item_id", "itemid", "product")
GAINS = ("gain", "relevance", "grade", "label", "score")
SEPARATORS = (",", "\t", ";")
MAX_LINE = 8_000_000
MAX_FIELD = 1_000_000


class BadSet(Exception):
    """The folder cannot be measured; the text says where it is wrong and what is expected."""


@dataclass(frozen=True, slots=True)
class Product:
    """A row of the products. `attributes` by the name of their column; empty ones are left out."""

    key: str
    title: str
    description: str
    category: str
    brand: str
    price: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Judged:
    """Queries with at least one product of a gain above 0. `queries` by id; `judgements`: query -> product -> gain.
    `skipped`: queries that have no such product."""

    queries: Mapping[str, str]
    judgements: Mapping[str, Mapping[str, float]]
    skipped: int


@dataclass(frozen=True, slots=True)
class _Row:
    """A row with the line that it begins in, and a value for each of the header's columns."""

    path: Path
    line: int
    values: Mapping[str, str]

    def bad(self, column: str, why: str) -> BadSet:
        return BadSet(f"{self.path}, line {self.line}, column {column}: {why}")

    def one_of(self, names: Sequence[str]) -> str:
        """The name of the column that goes by one of these names. Raises: BadSet when there is none."""
        found = next((name for name in names if name in self.values), None)
        if found is None:
            raise BadSet(f"{self.path}, line 1: no column {names[0]}; it may be called {', '.join(names)} too")
        return found

    def value(self, names: Sequence[str]) -> str:
        """What an obligatory column holds. Raises: BadSet when it is missing or blank."""
        name = self.one_of(names)
        if not (value := self.values[name].strip()):
            raise self.bad(name, "is empty")
        return value

    def optional(self, names: Sequence[str]) -> str:
        return next((self.values[name].strip() for name in names if name in self.values), "")


def products(folder: Path) -> Iterator[Product]:
    """Every product, in the order of the file. Raises: BadSet."""
    known: set[str] = set()
    for row in _rows(folder, "products"):
        key = row.value(IDS)
        if key in known:
            raise row.bad(row.one_of(IDS), f"{key!r} stands in an earlier line too")
        known.add(key)
        title = row.value(TITLES)
        rest = [*IDS, *TITLES, *DESCRIPTIONS, *CATEGORIES, *BRANDS, *PRICES]
        attributes = {name: value.strip() for name, value in row.values.items() if name not in rest and value.strip()}
        description, category, brand, price = map(row.optional, (DESCRIPTIONS, CATEGORIES, BRANDS, PRICES))
        yield Product(key, title, description, category, brand, price, attributes)
    if not known:
        raise BadSet(f"{_found(folder, 'products')}: no products")


def judged(folder: Path, known: Mapping[str, object]) -> Judged:
    """The queries and what was judged. `known`: products by id. Raises: BadSet."""
    queries: dict[str, str] = {}
    for row in _rows(folder, "queries"):
        key = row.value(QUERY_IDS)
        if key in queries:
            raise row.bad(row.one_of(QUERY_IDS), f"{key!r} stands in an earlier line too")
        queries[key] = row.value(QUERIES)
    if not queries:
        raise BadSet(f"{_found(folder, 'queries')}: no queries")
    judgements: dict[str, dict[str, float]] = {}
    for row in _rows(folder, "judgements"):
        query, product = row.value(QUERY_IDS[:-1]), row.value(JUDGED)
        if query not in queries:
            raise row.bad(row.one_of(QUERY_IDS), f"{query!r} is no query of {_found(folder, 'queries').name}")
        if product not in known:
            raise row.bad(row.one_of(JUDGED), f"{product!r} is no product of {_found(folder, 'products').name}")
        of_query = judgements.setdefault(query, {})
        if product in of_query:
            raise row.bad(row.one_of(JUDGED), f"{product!r} is judged for {query!r} in an earlier line too")
        of_query[product] = _gain(row)
    if not judgements:
        raise BadSet(f"{_found(folder, 'judgements')}: no judgements")
    measured = {key: text for key, text in queries.items() if any(judgements.get(key, {}).values())}
    if not measured:
        raise BadSet(f"{_found(folder, 'judgements')}: no query has a product with a gain above 0")
    return Judged(measured, judgements, len(queries) - len(measured))


def _gain(row: _Row) -> float:
    value = row.value(GAINS)
    try:
        gain = float(value)
    except ValueError:
        gain = math.nan
    if not (math.isfinite(gain) and gain >= 0):
        raise row.bad(row.one_of(GAINS), f"{value!r} is no number from 0 upwards")
    return gain


def _found(folder: Path, name: str) -> Path:
    """The file of this name, packed or not. Raises: BadSet."""
    paths = [path for ending in (".csv", ".csv.gz") if (path := folder / f"{name}{ending}").is_file()]
    if len(paths) != 1:
        both = "there are both; remove one" if paths else "there is neither"
        raise BadSet(f"{folder}: {name}.csv or {name}.csv.gz is expected, and {both}")
    return paths[0]


def _rows(folder: Path, name: str) -> Iterator[_Row]:
    path = _found(folder, name)
    csv.field_size_limit(MAX_FIELD)
    with _opened(path) as file:
        lines = _lines(path, file)
        head = next(lines, None)
        if head is None:
            raise BadSet(f"{path}: the file is empty")
        separator = max(SEPARATORS, key=head.count)
        header = [_column(title) for title in next(csv.reader([head], delimiter=separator))]
        if twice := next((column for column in header if header.count(column) > 1), None):
            raise BadSet(f"{path}, line 1, column {twice}: stands there twice")
        table = csv.reader(lines, delimiter=separator, strict=True)
        line = 2
        while True:
            try:
                values = next(table, None)
            except csv.Error as error:
                raise BadSet(f"{path}, line {line}: {error}") from error
            if values is None:
                return
            if values:
                if len(values) != len(header):
                    raise BadSet(f"{path}, line {line}: {len(values)} columns, and the first line has {len(header)}")
                yield _Row(path, line, dict(zip(header, values, strict=True)))
            line = table.line_num + 2


def _column(title: str) -> str:
    return "_".join(title.strip().casefold().split())


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file  # type: ignore[misc]  # a GzipFile reads lines as a file does
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadSet(f"{path}: damaged gzip file: {error}") from error
    except OSError as error:
        raise BadSet(f"{path}: {error.strerror or error}") from error


def _lines(path: Path, file: BinaryIO) -> Iterator[str]:
    """The lines, one at a time, however many there are."""
    number = 0
    while raw := file.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE:
            raise BadSet(f"{path}, line {number}: longer than {MAX_LINE} bytes")
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise BadSet(f"{path}, line {number}: byte {error.start + 1} is not UTF-8") from error
        if "\0" in text:
            raise BadSet(f"{path}, line {number}: has a NUL character")
        yield text

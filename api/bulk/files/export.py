"""Products as rows of the bulk form: what is read back says the same."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from api.bulk.files import cells, columns
from api.bulk.files.columns import Column
from api.catalog.commands.owned import OwnProduct, OwnVariant


def header_of(specifications: Iterable[str], attributes: Iterable[str]) -> list[Column]:
    """The columns of a CSV file, those with members for each of their names."""
    members = {"specifications": [*specifications], "attributes": [*attributes]}
    found: list[Column] = []
    for name, column in columns.columns().items():
        if column.kind != "member":
            found.append(column)
            continue
        for member in members.get(column.field, ()):
            placed = columns.find(f"{name}.{member}")
            assert placed is not None
            found.append(placed)
    return found


def csv_rows(header: Sequence[Column], product: OwnProduct) -> Iterator[list[str]]:
    """The rows of a product: what is the product's is in the first."""
    for number, variant in enumerate(product.variants):
        yield [
            cells.write(column.kind, _value(column, product, variant))
            if number == 0 or column.level != "product"
            else ""
            for column in header
        ]


def json_lines(product: OwnProduct) -> Iterator[bytes]:
    for number, variant in enumerate(product.variants):
        row = {
            name: _value(column, product, variant)
            for name, column in columns.columns().items()
            if number == 0 or column.level != "product"
        }
        yield json.dumps(row, default=_number, ensure_ascii=False).encode() + b"\n"


def written(lines: Iterable[Sequence[str]]) -> bytes:
    """CSV in UTF-8, lines ended by CRLF as RFC 4180 has it."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows(lines)
    return file.getvalue().encode()


def _value(column: Column, product: OwnProduct, variant: OwnVariant) -> object:
    if column.level == "tie":
        return str(product.product_id)
    value = product.fields[column.attribute] if column.level == "product" else getattr(variant, column.attribute)
    if column.member is None:
        return value
    assert isinstance(value, Mapping)
    return value.get(column.member)


def _number(value: object) -> float:
    """An amount as the API writes it."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError

"""Rows of one product, as the API's bodies have them: what a file says of a product, and which row says it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.bulk.files import columns
from api.bulk.files.columns import Column
from api.bulk.files.lines import Place
from api.bulk.files.records import Finding, Record
from api.catalog.schemas import sku_text
from api.kernel.errors import FieldError

# As many variants as the API takes in one body.
MAX_ROWS = 100
Fields = Mapping[str, Any]  # Any: JSON, or the amounts of CSV


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file; `said` is what it says, by column, with None for a blank cell."""

    number: int
    sku: str | None
    tie: str | None
    said: Mapping[Column, object]
    findings: Sequence[Finding]

    @classmethod
    def of(cls, record: Record) -> "Row":
        texts = {column.field: value for column, value in record.values.items() if column.field in _TEXTS}
        sku, tie = (_text(texts.get(name)) for name in (columns.SKU, columns.TIE))
        return cls(record.number, None if sku is None else str(sku_text(sku)), tie, record.values, record.findings)


_TEXTS = {columns.SKU, columns.TIE}
LONGEST = {columns.SKU: 100, columns.TIE: 200}


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one product that follow each other; `end`: where the next group begins."""

    rows: list[Row]
    end: Place

    @property
    def tie(self) -> str | None:
        return self.rows[0].tie

    @property
    def skus(self) -> list[str]:
        return [row.sku for row in self.rows if row.sku is not None]


def grouped(records: Iterable[Record]) -> Iterator[Group]:
    """Rows with one tie that follow each other; a row without a tie is a product of its own."""
    rows: list[Row] = []
    end = Place()
    for record in records:
        row = Row.of(record)
        if rows and (row.tie is None or row.tie != rows[0].tie or len(rows) > MAX_ROWS):
            yield Group(rows, end)
            rows = []
        rows.append(row)
        end = record.end
    if rows:
        yield Group(rows, end)


@dataclass(frozen=True, slots=True)
class Said:
    """What the rows of a group say, in the form of the API's bodies. Members are kept apart, because a file may name
    some of them only: field -> name -> value."""

    product: dict[str, object] = field(default_factory=dict)
    product_members: dict[str, dict[str, object]] = field(default_factory=dict)
    variants: list[dict[str, object]] = field(default_factory=list)
    variant_members: list[dict[str, dict[str, object]]] = field(default_factory=list)

    def new(self) -> dict[str, Any]:  # Any: JSON
        """The body of a new product: what is blank is not sent."""
        return {
            **_sent(self.product, self.product_members, {}),
            "variants": [
                _sent(one, members, {}) for one, members in zip(self.variants, self.variant_members, strict=True)
            ],
        }

    def change(self, product: Fields, variants: Mapping[str, Fields]) -> dict[str, Any]:  # Any: JSON
        """The body of a change of a product with those fields, and variants by SKU in small letters."""
        body = _changed(self.product, self.product_members, product)
        both = zip(self.variants, self.variant_members, strict=True)
        body["variants"] = []
        for one, members in both:
            before = variants.get(str(one[columns.SKU]).lower(), {})
            body["variants"].append(_changed(one, members, before))
        return body


def said_by(group: Group) -> tuple[Said, dict[int, list[Finding]]]:
    """What the group says, and the findings by row, which are about rows that contradict each other or lack a SKU."""
    said, findings = Said(), dict[int, list[Finding]]()
    first: dict[Column, object] = {}
    for row in group.rows:
        own = list(row.findings)
        variant: dict[str, object] = {}
        members: dict[str, dict[str, object]] = {}
        for column, value in row.said.items():
            if column.level == "variant":
                _place(column, value, variant, members)
            elif column.level == "product":
                if row is group.rows[0]:
                    first[column] = value
                    _place(column, value, said.product, said.product_members)
                elif value is not None and value != first.get(column):
                    message = f"another value than in row {group.rows[0].number}, the first of the product"
                    own.append(Finding(column.name, message, "leave it blank, or write the same"))
        if not row.findings:
            own += _texts(row)
        said.variants.append(variant)
        said.variant_members.append(members)
        if own:
            findings[row.number] = own
    return said, findings


def place(pointer: str, rows: Sequence[Row]) -> tuple[Row, str]:
    """The row and the column of a field of the API's body, by its JSON pointer."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    row, level = rows[0], "product"
    if steps[:1] == ["variants"]:
        row = rows[int(steps[1])] if len(steps) > 1 and steps[1].isdigit() and int(steps[1]) < len(rows) else row
        level, steps = "variant", steps[2:]
    if not steps:
        return row, ""
    member = steps[1] if len(steps) > 1 else None
    return row, columns.name_of("variant" if level == "variant" else "product", steps[0], member)


def found(errors: Iterable[FieldError], rows: Sequence[Row]) -> Iterator[tuple[int, Finding]]:
    """The API's refusals as findings of rows."""
    for error in errors:
        row, name = place(error.pointer, rows)
        yield row.number, Finding(name, error.message, fix_of(name, error.message))


def fix_of(name: str, message: str) -> str:
    """What to do about a refused value of a column."""
    column = columns.find(name)
    if "required" in message.lower() or "null" in message:
        return f"fill in {name}"
    kinds = {"amount": "write an amount above zero with at most two decimals, as in 12.50", "whole": "write a number"}
    if column is not None and column.kind in kinds:
        return kinds[column.kind]
    return f"correct {name}" if name else "correct the row"


def _texts(row: Row) -> Iterator[Finding]:
    for name, longest in LONGEST.items():
        text = row.sku if name == columns.SKU else row.tie
        if text is not None and len(text) > longest:
            yield Finding(name, f"longer than {longest} characters", "shorten it")
    if row.sku is None:
        yield Finding(columns.SKU, "the row has no SKU", "give each variant one: it is known by it")


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _place(column: Column, value: object, fields: dict[str, object], members: dict[str, dict[str, object]]) -> None:
    if column.member is not None:
        members.setdefault(column.field, {})[column.member] = value
    elif value is not None or column.nullable:
        fields[column.field] = value
    elif column.kind == "list":
        fields[column.field] = []


def _sent(
    fields: Mapping[str, object], members: Mapping[str, Mapping[str, object]], before: Fields
) -> dict[str, object]:
    kept = {name: value for name, value in fields.items() if value is not None}
    for name, given in members.items():
        merged = {**before.get(name, {}), **given}
        kept[name] = {key: value for key, value in merged.items() if value is not None}
    return kept


def _changed(
    fields: Mapping[str, object], members: Mapping[str, Mapping[str, object]], before: Fields
) -> dict[str, Any]:  # Any: JSON
    blank = {name: None for name, value in fields.items() if value is None}
    return {**_sent(fields, members, before), **blank}

"""The columns of the bulk form: the fields of a product and a variant as the API takes them, under the API's names.

They are read from the API's own models, so a field that those get is a column here.
"""

import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from api.bulk.files.cells import Kind
from api.catalog.schemas import ProductIn, VariantIn

# Ties the rows of one product: any text of the seller's, or the product's id.
TIE = "product"
SKU = "sku"
# What a row does not say: a variant is known by its SKU, and a file that is read twice must change nothing.
LEFT_OUT = frozenset({"variants", "variantId", "stockChange"})
Level = Literal["tie", "product", "variant"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file. `field` of the API's body that it is stored in, which the models call `attribute`; `member`:
    the key in that object.

    `nullable`: a blank cell says that the product has none; otherwise it says nothing.
    """

    name: str
    level: Level
    field: str
    kind: Kind
    nullable: bool = False
    member: str | None = None
    attribute: str = ""


@cache
def columns() -> dict[str, Column]:
    """By name, those with members without them: `attributes` stands for `attributes.color`."""
    found = [Column(TIE, "tie", TIE, "text"), *_of(ProductIn, "product"), *_of(VariantIn, "variant")]
    return {column.name: column for column in found}


def names() -> list[str]:
    """As a file may name them."""
    return [f"{name}.NAME" if column.kind == "member" else name for name, column in columns().items()]


def find(name: str) -> Column | None:
    """The column of a name in the first row: `listPrice`, also written `List Price`; `attributes.color`."""
    stem, dot, member = name.partition(".")
    column = _by_letters().get(_letters(stem))
    if column is None or (column.kind == "member") is not bool(dot) or (dot and not member.strip()):
        return None
    if not dot:
        return column
    member = member.strip()
    kind: Kind = "text" if column.field == "attributes" else "member"
    return Column(f"{column.name}.{member}", column.level, column.field, kind, True, member, column.attribute)


def name_of(level: Level, field: str, member: str | None = None) -> str:
    """The column that a field of the API's body is in."""
    for column in columns().values():
        if (column.level, column.field) == (level, field):
            return f"{column.name}.{member}" if column.kind == "member" and member is not None else column.name
    return field


@cache
def _by_letters() -> dict[str, Column]:
    return {_letters(name): column for name, column in columns().items()}


def _letters(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()


def _of(model: type[BaseModel], level: Level) -> Iterator[Column]:
    """A name that a product has too is called `variantPrice`."""
    for name, field in model.model_fields.items():
        alias = field.alias or name
        if alias in LEFT_OUT:
            continue
        taken = level == "variant" and name in ProductIn.model_fields
        kind, nullable = _kind(field.annotation)
        shown = f"variant{alias[0].upper()}{alias[1:]}" if taken else alias
        yield Column(shown, level, alias, kind, nullable, attribute=name)


def _kind(annotation: Any) -> tuple[Kind, bool]:  # Any: a type of any form
    """How a cell is read, and whether null is a value."""
    while (origin := get_origin(annotation)) is Annotated:
        annotation = get_args(annotation)[0]
    if origin in {Union, types.UnionType}:
        kinds = [one for one in get_args(annotation) if one is not type(None)]
        nullable = len(kinds) < len(get_args(annotation))
        return (_kind(kinds[0])[0] if len(kinds) == 1 else "json"), nullable
    if origin is Literal or annotation is str:
        return "text", False
    simple: dict[Any, Kind] = {Decimal: "amount", int: "whole", bool: "switch"}
    if annotation in simple:
        return simple[annotation], False
    if origin is dict:
        values = get_args(annotation)[1]
        return "json" if isinstance(values, type) and issubclass(values, BaseModel) else "member", False
    if origin is list and _kind(get_args(annotation)[0])[0] == "text":
        return "list", False
    return "json", False

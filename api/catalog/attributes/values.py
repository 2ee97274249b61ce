"""Whether a value is one of its definition's, and what it is in the definition's own form. Pure functions."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Literal

from api.catalog.attributes.units import convert, related
from api.kernel.errors import FieldError
from api.kernel.languages import Reader
from api.kernel.pointers import pointer

AttributeType = Literal["text", "number", "boolean", "enum", "date"]
_NUMBER = re.compile(r"([+-]?\d{1,15}(?:\.\d{1,10})?)\s*(\D.*)?")
_BOOLEANS = {"true": "true", "false": "false"}


@dataclass(frozen=True, slots=True)
class Definition:
    """What a category says of one attribute. `labels`: what it is called in other languages than the shop's."""

    name: str
    label: str
    type: AttributeType
    unit: str | None
    allowed_values: list[str]
    required: bool
    variant_axis: bool
    facet: bool
    labels: Mapping[str, str] | None = None

    def shown(self, reader: Reader) -> tuple[str, str | None]:
        """The label as a reader is shown it, and its language where that is another than the reader's."""
        return reader.text(self.label, (self.labels or {}).get(reader.language))

    @property
    def key(self) -> str:
        """Names are equal whatever their letters' case is."""
        return self.name.casefold()


def normal(definition: Definition, value: object) -> str | None:
    """The value as the definition writes it, a number in its unit; None for a value that is none of it."""
    if isinstance(value, list):
        parts = [normal(definition, part) for part in value] if definition.type in {"text", "enum"} else [None]
        return None if None in parts else ", ".join(map(str, parts))
    match definition.type:
        case "text":
            return value if isinstance(value, str) else None
        case "enum":
            return value if isinstance(value, str) and value in definition.allowed_values else None
        case "boolean":
            return _BOOLEANS.get(str(value).lower()) if isinstance(value, bool | str) else None
        case "date":
            return _day(value)
        case "number":
            amount = quantity(value, definition.unit)
            return None if amount is None else _written(amount, definition.unit)


def fault_of(definition: Definition, value: object) -> str | None:
    """What the value should be, when it is none of the definition's."""
    return None if normal(definition, value) is not None else expected(definition)


def expected(definition: Definition) -> str:
    """In words."""
    match definition.type:
        case "text":
            return "must be text"
        case "enum":
            return f"must be one of {', '.join(definition.allowed_values)}"
        case "boolean":
            return "must be true or false"
        case "date":
            return "must be a day such as 2026-01-31"
        case "number" if definition.unit is None:
            return "must be a number"
        case "number":
            return f"must be a number of {' or '.join(related(str(definition.unit)))}"


def quantity(value: object, unit: str | None) -> Decimal | None:
    """The number in the unit; one without a unit is taken as being in it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    found = _NUMBER.fullmatch(str(value).strip())
    if found is None:
        return None
    amount, named = Decimal(found[1]), found[2]
    if named is None:
        return amount
    return None if unit is None else convert(amount, named.strip(), unit)


def unit_of(value: str) -> str | None:
    """The unit that a number is written with; None for one without a unit, and for what is no number."""
    found = _NUMBER.fullmatch(value.strip())
    return None if found is None or found[2] is None else found[2].strip()


def faults(
    definitions: Sequence[Definition],
    specifications: Mapping[str, object],
    variants: Sequence[Mapping[str, object]],
    sent: Sequence[Mapping[str, object]],
) -> list[FieldError]:
    """What is wrong with a product's values: of another type or unit, unknown, or missing where they are required.

    `variants`: the attributes of those that it will have; `sent`: of those in the request, which pointers name.
    """
    known, found = {one.key: one for one in definitions}, list[FieldError]()

    def judge(values: Mapping[str, object], place: Callable[[str], str]) -> None:
        for name, value in values.items():
            definition = known.get(name.casefold())
            fault = None if definition is None else fault_of(definition, value)
            if fault is not None:
                found.append(FieldError(pointer=place(name), message=fault))

    judge(specifications, lambda name: pointer(["specifications", name]))
    for attributes in variants:
        judge(attributes, partial(_place_of, attributes, sent))
    stated = {name.casefold() for name in specifications}
    for definition in definitions:
        if not definition.required or definition.key in stated:
            continue
        message = f"is required in this category; it {expected(definition)}"
        without = [one for one in variants if definition.key not in {name.casefold() for name in one}]
        if not definition.variant_axis and without:
            found.append(FieldError(pointer=pointer(["specifications", definition.name]), message=message))
        elif without:
            places = [_place_of(attributes, sent, definition.name) for attributes in without]
            found += [FieldError(pointer=place, message=message) for place in places]
    return list({(one.pointer, one.message): one for one in found}.values())


def _place_of(attributes: Mapping[str, object], sent: Sequence[Mapping[str, object]], name: str) -> str:
    """The pointer to an attribute of a variant; to all variants for one that the request does not name."""
    index = next((i for i, one in enumerate(sent) if one == attributes), None)
    return pointer(["variants"] if index is None else ["variants", index, "attributes", name])


def _day(value: object) -> str | None:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _written(amount: Decimal, unit: str | None) -> str:
    shown = f"{amount.quantize(Decimal('0.000001')).normalize():f}" if amount else "0"
    return shown if unit is None else f"{shown} {unit}"

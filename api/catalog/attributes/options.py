"""What a buyer chooses among a product's variants: options, their values in order, and which combination is which.

Pure functions. Options stand in the order of the category's definitions, variant axes first, and those without one
after them by name. The values of an enum stand in its own order; numbers, days and clothing sizes by size; others by
their text, in which 9 comes before 10.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.catalog.attributes.values import Definition, quantity, unit_of
from api.catalog.pictures.schemas import ImageBody
from api.catalog.schemas import Combination, OptionValue, ProductOption

_SIZES = {
    name: place
    for place, names in enumerate(
        ("4xs", "xxxs 3xs", "xxs 2xs", "xs", "s", "m", "l", "xl", "xxl 2xl", "xxxl 3xl", "4xl", "5xl", "6xl")
    )
    for name in names.split()
}
_DIGITS = re.compile(r"(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Choice:
    """A variant that is for sale. `available`: there are units of it, or it may be backordered."""

    variant_id: UUID
    attributes: Mapping[str, Any]  # Any: JSON
    available: bool


def picker_of(
    choices: Sequence[Choice], definitions: Sequence[Definition], images: Sequence[ImageBody]
) -> tuple[list[ProductOption], list[Combination]]:
    """The options of a product with these variants, and the combination of each variant that has any value.

    Names and values that differ by case, width or spaces alone are one, and are written as the first variant has them;
    a name that is defined, as its definition has it.
    """
    names = _names(choices, definitions)
    spelled: dict[str, dict[str, str]] = {key: {} for key in names}
    chosen: list[dict[str, str]] = []
    for choice in choices:
        texts = {_folded(name): text for name, value in choice.attributes.items() if (text := _text(value))}
        chosen.append({key: spelled[key].setdefault(_folded(texts[key]), texts[key]) for key in names if key in texts})
    known = {_folded(definition.name): definition for definition in definitions}
    pictured = _pictured(choices, chosen, names, images)
    options = [
        ProductOption(
            name=name,
            values=[
                OptionValue(
                    value=value,
                    available=any(
                        choice.available and has.get(key) == value for choice, has in zip(choices, chosen, strict=True)
                    ),
                    image=pictured.get((key, value)),
                )
                for value in _in_order(spelled[key].values(), known.get(key))
            ],
        )
        for key, name in names.items()
    ]
    combinations = [
        Combination(
            values={names[key]: value for key, value in has.items()},
            variant_id=choice.variant_id,
            available=choice.available,
        )
        for choice, has in zip(choices, chosen, strict=True)
        if has
    ]
    return options, combinations


def _names(choices: Iterable[Choice], definitions: Sequence[Definition]) -> dict[str, str]:
    """The options in order: folded name -> name."""
    written: dict[str, str] = {}
    for choice in choices:
        for name, value in choice.attributes.items():
            if _text(value):
                written.setdefault(_folded(name), name)
    axes_first = sorted(definitions, key=lambda one: not one.variant_axis)
    defined = {key: one.name for one in axes_first if (key := _folded(one.name)) in written}
    return defined | {key: written[key] for key in sorted(written.keys() - defined.keys(), key=_natural)}


def _in_order(values: Iterable[str], definition: Definition | None) -> list[str]:
    found = list(values)
    if definition is not None and definition.type == "enum":
        places = {value: place for place, value in enumerate(definition.allowed_values)}
        return sorted(found, key=lambda value: (places.get(value, len(places)), _natural(value)))
    if all(_folded(value) in _SIZES for value in found):
        return sorted(found, key=lambda value: _SIZES[_folded(value)])
    unit = definition.unit if definition is not None and definition.unit else unit_of(found[0])
    amounts = {value: amount for value in found if (amount := quantity(value, unit)) is not None}
    if len(amounts) == len(found):
        return sorted(found, key=lambda value: (amounts[value], value))
    return sorted(found, key=_natural)


def _pictured(
    choices: Sequence[Choice],
    chosen: Sequence[Mapping[str, str]],
    names: Iterable[str],
    images: Sequence[ImageBody],
) -> dict[tuple[str, str], str]:
    """The first picture of each value of one option: the one by which the variants that have pictures differ most."""
    first: dict[UUID, str] = {}
    for image in images:
        if image.variant_id is not None:
            first.setdefault(image.variant_id, image.url160)
    shown = [(has, first[one.variant_id]) for one, has in zip(choices, chosen, strict=True) if one.variant_id in first]
    differing = {key: len({has[key] for has, _ in shown if key in has}) for key in names}
    if not shown or not differing:
        return {}
    key = max(differing, key=lambda name: differing[name])  # of equal ones the first
    return {(key, has[key]): url for has, url in reversed(shown) if key in has}


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value).strip()


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _natural(text: str) -> list[tuple[int, float, str]]:
    """Parts of digits are compared as numbers, and come before letters."""
    parts = [part for part in _DIGITS.split(_folded(text)) if part]
    return [(0, float(part), "") if part[0].isdigit() and _DIGITS.fullmatch(part) else (1, 0.0, part) for part in parts]

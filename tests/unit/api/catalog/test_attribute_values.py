"""Values as their definitions have them: types, units, and what is said of a wrong one."""

from decimal import Decimal
from typing import Any

import pytest

from api.catalog.attributes.units import DIMENSIONS, convert
from api.catalog.attributes.values import Definition, expected, fault_of, faults, normal


def defined(name: str = "storage", **fields: Any) -> Definition:
    values: dict[str, Any] = {
        "label": name.title(), "type": "text", "unit": None, "allowed_values": [], "required": False,
        "variant_axis": False, "facet": False,
    }  # fmt: skip
    return Definition(name=name, **{**values, **fields})


STORAGE = defined(type="number", unit="GB")
COLOUR = defined("colour", type="enum", allowed_values=["red", "blue"], variant_axis=True)


@pytest.mark.parametrize(
    ("definition", "value", "written"),
    [
        (STORAGE, 256, "256 GB"),
        (STORAGE, "256", "256 GB"),
        (STORAGE, "256GB", "256 GB"),
        (STORAGE, "0.25 TB", "250 GB"),
        (STORAGE, "500 mb", "0.5 GB"),
        (STORAGE, 0, "0 GB"),
        (STORAGE, "256 kg", None),
        (STORAGE, "many", None),
        (STORAGE, True, None),
        (STORAGE, ["256"], None),
        (STORAGE, "1,000", None),
        (defined(type="number"), "2.50", "2.5"),
        (defined(type="number"), "2.50 m", None),
        (defined(type="number", unit="dots"), "3 dots", "3 dots"),
        (defined(type="number", unit="dots"), "3 lines", None),
        (defined(type="boolean"), True, "true"),
        (defined(type="boolean"), "False", "false"),
        (defined(type="boolean"), 1, None),
        (defined(type="date"), "2026-02-28", "2026-02-28"),
        (defined(type="date"), "2026-02-30", None),
        (defined(type="date"), "20260228", None),
        (COLOUR, "red", "red"),
        (COLOUR, ["red", "blue"], "red, blue"),
        (COLOUR, "Red", None),
        (COLOUR, ["red", "green"], None),
        (defined(), "any text", "any text"),
        (defined(), 5, None),
    ],
)
def test_a_value_is_written_as_its_definition_says(definition: Definition, value: Any, written: str | None) -> None:
    assert normal(definition, value) == written
    assert fault_of(definition, value) == (None if written is not None else expected(definition))


def test_units_are_converted_within_their_dimension() -> None:
    assert convert(Decimal(1), "lb", "kg") == Decimal("0.45359237")
    assert convert(Decimal(12), "IN", "cm") == Decimal("30.48")
    assert convert(Decimal(1), "kg", "m") is None
    spelled = [unit.casefold() for units in DIMENSIONS.values() for unit in units]
    assert len(spelled) == len(set(spelled))


def test_what_is_wrong_is_named_where_it_stands() -> None:
    red, none = {"colour": "red", "Storage": "1 kg"}, {"size": "9"}
    found = faults(
        [STORAGE, COLOUR, defined("weight", type="number", unit="kg", required=True)],
        {"STORAGE": "lots", "free": 5},
        [red, none],
        [none, red],
    )

    assert [(one.pointer, one.message) for one in found] == [
        ("/specifications/STORAGE", "must be a number of GB or kB or MB or TB"),
        ("/variants/1/attributes/Storage", "must be a number of GB or kB or MB or TB"),
        (
            "/specifications/weight",
            "is required in this category; it must be a number of kg or g or mg or oz or lb",
        ),
    ]


def test_a_required_axis_is_required_of_every_variant() -> None:
    axis = defined("colour", type="enum", allowed_values=["red", "blue"], variant_axis=True, required=True)

    def places(*variants: dict[str, object], specifications: dict[str, object] | None = None) -> list[str]:
        return [one.pointer for one in faults([axis], specifications or {}, variants, variants)]

    assert places({"colour": "red"}, {"size": "9"}) == ["/variants/1/attributes/colour"]
    assert places({"Colour": "red"}, {"colour": "blue"}) == []
    assert places({"size": "9"}, specifications={"colour": "red"}) == []
    assert [one.pointer for one in faults([axis], {}, [{}], [])] == ["/variants"]

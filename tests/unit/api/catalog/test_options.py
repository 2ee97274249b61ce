"""What a picker shows: options and values in order, what is sold out, and what is not made."""

from typing import Any
from uuid import UUID

import pytest

from api.catalog.attributes.options import Choice, picker_of
from api.catalog.attributes.values import Definition
from api.catalog.pictures.schemas import ImageBody


def defined(name: str, **fields: Any) -> Definition:
    values: dict[str, Any] = {
        "label": name, "type": "text", "unit": None, "allowed_values": [], "required": False, "variant_axis": True,
        "facet": False,
    }  # fmt: skip
    return Definition(name=name, **{**values, **fields})


def choices(*attributes: dict[str, Any], sold_out: tuple[int, ...] = ()) -> list[Choice]:
    return [Choice(UUID(int=n), values, n not in sold_out) for n, values in enumerate(attributes)]


def image(variant: int | None, name: str) -> ImageBody:
    shown: dict[str, Any] = {f"url{size}": f"/{name}-{size}.webp" for size in (160, 480, 1200)}
    shown |= dict.fromkeys(("alt", "blur", "width", "height", "image_id"))
    return ImageBody(**shown, variant_id=None if variant is None else UUID(int=variant))


def values_of(*attributes: dict[str, Any], definitions: tuple[Definition, ...] = ()) -> dict[str, list[str]]:
    options, _ = picker_of(choices(*attributes), definitions, [])
    return {option.name: [value.value for value in option.values] for option in options}


def test_what_is_sold_out_is_told_from_what_is_not_made() -> None:
    made = choices({"color": "Red", "size": "S"}, {"color": "Blue", "size": "M"}, sold_out=(1,))

    options, combinations = picker_of(made, [], [])

    assert [(o.name, [(v.value, v.available) for v in o.values]) for o in options] == [
        ("color", [("Blue", False), ("Red", True)]),
        ("size", [("S", True), ("M", False)]),
    ]
    assert [(c.values, c.variant_id, c.available) for c in combinations] == [
        ({"color": "Red", "size": "S"}, UUID(int=0), True),
        ({"color": "Blue", "size": "M"}, UUID(int=1), False),
    ]


def test_options_stand_as_they_are_defined_axes_first_and_the_others_by_name() -> None:
    definitions = (defined("Material", variant_axis=False), defined("Size"), defined("colour"))
    shown = values_of(
        {"zip": "no", "colour": "red", "material": "linen", "size": "M", "age": "9"}, definitions=definitions
    )
    assert list(shown) == ["Size", "colour", "Material", "age", "zip"]


@pytest.mark.parametrize(
    ("values", "definition", "order"),
    [
        (
            ["red", "blue", "green"],
            defined("a", type="enum", allowed_values=["green", "red", "blue"]),
            "green red blue",
        ),
        (["XL", "S", "2XL", "M"], None, "S M XL 2XL"),
        (["1TB", "256GB", "512GB"], None, "256GB 512GB 1TB"),
        (["0.5", "1024", "64"], defined("a", type="number", unit="GB"), "0.5 64 1024"),
        (["2026-10-01", "2026-02-01"], defined("a", type="date"), "2026-02-01 2026-10-01"),
        (["Model10", "Model9", "Alpha"], None, "Alpha Model9 Model10"),
        (["10", "9", "9.5"], None, "9 9.5 10"),
        (["red", "S", "M"], None, "M red S"),
    ],
)
def test_values_stand_in_their_natural_order(values: list[str], definition: Definition | None, order: str) -> None:
    definitions = (definition,) if definition is not None else ()
    assert values_of(*({"a": value} for value in values), definitions=definitions) == {"a": order.split()}


def test_spellings_of_one_value_are_one() -> None:
    shown, combinations = picker_of(
        choices({"Color": "Navy  Blue", "n": 1}, {"color": "navy blue", "n": 2}, {"COLOR": ["a", "b"], "n": None}),
        [],
        [],
    )

    assert [(o.name, [v.value for v in o.values]) for o in shown] == [
        ("Color", ["a, b", "Navy  Blue"]),
        ("n", ["1", "2"]),
    ]
    assert [one.values for one in combinations] == [
        {"Color": "Navy  Blue", "n": "1"},
        {"Color": "Navy  Blue", "n": "2"},
        {"Color": "a, b"},
    ]


def test_a_variant_without_attributes_offers_no_choice() -> None:
    assert picker_of(choices({}), [defined("size")], []) == ([], [])


@pytest.mark.parametrize("drawn", [(0, 2), (2, 0), (0, 1, 2)])
def test_pictures_stand_at_the_option_by_which_they_differ_most(drawn: tuple[int, ...]) -> None:
    made = choices({"size": "S", "color": "Red"}, {"size": "M", "color": "Red"}, {"size": "S", "color": "Blue"})
    images = [image(None, "all"), *(image(n, f"v{n}") for n in drawn)]

    color, size = picker_of(made, [], images)[0]

    assert {value.value: value.image for value in color.values} == {"Red": "/v0-160.webp", "Blue": "/v2-160.webp"}
    assert {value.image for value in size.values} == {None}

"""What differs between two versions."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.catalog.commands.fields import COLUMNS, FUNCTIONS
from api.catalog.commands.statements import VARIANT_VALUES, defaults
from api.catalog.schemas import ProductIn, VariantIn
from api.catalog.versions.differences import differences

A, B = (f"00000000-0000-7000-8000-00000000000{n}" for n in (1, 2))
Json = dict[str, Any]


def told(before: Json, after: Json) -> list[tuple[str, str, Any, Any, str | None]]:
    return [
        (one.op, one.pointer, one.before, one.after, None if one.variant_id is None else str(one.variant_id))
        for one in differences(before, after)
    ]


def test_a_version_says_every_field_of_a_product_but_stock() -> None:
    assert COLUMNS.keys() | FUNCTIONS.keys() == ProductIn.model_fields.keys()
    assert VariantIn.model_fields.keys() - VARIANT_VALUES.keys() == {"stock", "stock_change"}
    assert defaults(ProductIn)["taxClass"] == "standard"
    assert "title" not in defaults(ProductIn)


def test_members_are_compared_one_by_one_and_lists_whole() -> None:
    before = {"title": "A", "specifications": {"a/b": 1, "c~d": [1, 2], "e": 1}, "images": ["x"]}
    after = {"title": "A", "specifications": {"a/b": 2, "c~d": [2, 1], "f": None}, "images": ["x", "y"]}

    assert told(before, after) == [
        ("changed", "/images", ["x"], ["x", "y"], None),
        ("changed", "/specifications/a~1b", 1, 2, None),
        ("changed", "/specifications/c~0d", [1, 2], [2, 1], None),
        ("removed", "/specifications/e", 1, None, None),
        ("added", "/specifications/f", None, None, None),
    ]


def test_variants_are_told_apart_by_their_ids() -> None:
    one: Json = {"variantId": A, "price": 1, "attributes": {"size": "S"}}
    other: Json = {"variantId": B, "price": 2, "attributes": {}}
    bigger = {**one, "attributes": {"size": "M"}}

    assert told({"variants": [one, other]}, {"variants": [other, one]}) == []
    assert told({"variants": [one, other]}, {"variants": [other, bigger]}) == [
        ("changed", "/variants/1/attributes/size", "S", "M", A)
    ]
    assert told({"variants": [one]}, {"variants": [other]}) == [
        ("removed", "/variants/0", one, None, A),
        ("added", "/variants/0", None, other, B),
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab/~"), inner, max_size=3),
    max_leaves=6,
)
VARIANTS = st.dictionaries(st.sampled_from([A, B]), st.dictionaries(st.sampled_from("xy"), VALUES, max_size=2)).map(
    lambda made: [{"variantId": variant, **rest} for variant, rest in made.items()]
)
BODIES = st.fixed_dictionaries({"variants": VARIANTS}, optional={"title": VALUES, "specifications": VALUES})


@given(BODIES, BODIES)
def test_what_is_told_makes_the_one_of_the_other(before: Json, after: Json) -> None:
    """Whoever applies the differences to the old body has the new one."""
    assert _applied(before, after) == {**after, "variants": {one["variantId"]: one for one in after["variants"]}}


def _applied(before: Json, after: Json) -> Json:
    made: Json = {**before, "variants": {one["variantId"]: one for one in before["variants"]}}
    for one in differences(before, after):
        steps = [step.replace("~1", "/").replace("~0", "~") for step in one.pointer.split("/")[1:]]
        if one.variant_id is not None:
            steps[1] = str(UUID(str(one.variant_id)))
        made = _set(made, steps, one.op, one.after)
    return made


def _set(value: Json, steps: list[str], op: str, new: Any) -> Json:
    first, *rest = steps
    if rest:
        return {**value, first: _set(value[first], rest, op, new)}
    return {name: old for name, old in value.items() if name != first} | ({} if op == "removed" else {first: new})

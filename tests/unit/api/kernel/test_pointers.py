"""A refused value is named by its place in the client's own JSON."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from api.kernel.pointers import field_errors
from api.kernel.schemas import Wire


class Saved(Wire):
    address_id: int


class Full(Wire):
    street: str
    zip_code: str


class Piece(Wire):
    kind: Literal["a"]
    sizes: list[Annotated[int, Field(ge=0)]] = Field(default_factory=list)


class Body(Wire):
    address: Saved | Full
    specs: dict[Annotated[str, Field(max_length=3)], str | int | list[str]] = Field(default_factory=dict)
    pieces: list[Piece] = Field(default_factory=list)


def refused(body: dict[str, Any]) -> dict[str, str]:
    """The errors of a body as FastAPI reports them: pointer -> message."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Body).validate_python(body)
    found = [{**error, "loc": ("body", *error["loc"])} for error in caught.value.errors()]
    return {error.pointer: error.message for error in field_errors(found, body)}


GOOD: dict[str, Any] = {"address": {"street": "s", "zipCode": "z"}}


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"address": {"addressId": "x"}}, {"/address/addressId", "/address/street", "/address/zipCode"}),
        ({"address": 5}, {"/address"}),
        ({"address": {"street": "s"}}, {"/address/addressId", "/address/street", "/address/zipCode"}),
        ({"specs": {"a": {}}}, {"/specs/a"}),
        ({"specs": {"str": {"str": 1}}}, {"/specs/str"}),
        ({"specs": {"a": ["x", 5]}}, {"/specs/a", "/specs/a/1"}),
        ({"specs": {"long name": "x"}}, {"/specs/long name"}),
        ({"specs": {"a/b": None}}, {"/specs/a~1b"}),
        ({"specs": {"~": None}}, {"/specs/~0"}),
        ({"pieces": [{"kind": "a"}, {"kind": "b"}]}, {"/pieces/1/kind"}),
        ({"pieces": [{}]}, {"/pieces/0/kind"}),
        ({"pieces": [{"kind": "a", "sizes": [1, -1]}]}, {"/pieces/0/sizes/1"}),
        ({"pieces": [{"kind": "a", "extra": 1}]}, {"/pieces/0/extra"}),
        ({"pieces": {"kind": "a"}}, {"/pieces"}),
        ({"surprise": 1}, {"/surprise"}),
    ],
)
def test_the_place_is_the_clients(change: dict[str, Any], pointers: set[str]) -> None:
    assert refused({**GOOD, **change}).keys() == pointers


def test_every_member_of_a_union_gives_its_reason_once() -> None:
    message = refused({**GOOD, "specs": {"a": None}})["/specs/a"]

    assert message == (
        "Input should be a valid string; or: Input should be a valid integer; or: Input should be a valid list"
    )


@pytest.mark.parametrize(
    ("location", "pointer"),
    [
        (("query", "limit"), "/query/limit"),
        (("query", "brand", 1), "/query/brand/1"),
        (("header", "X-Session-Id"), "/header/X-Session-Id"),
        (("path", "code"), "/path/code"),
        (("body",), ""),
    ],
)
def test_parameters_are_named_by_their_part_and_a_whole_body_by_the_empty_pointer(
    location: tuple[str | int, ...], pointer: str
) -> None:
    (error,) = field_errors([{"loc": location, "msg": "m", "type": "missing", "input": None}], None)

    assert (error.pointer, error.message) == (pointer, "m")


def test_the_words_of_a_rule_of_ours_stand_alone() -> None:
    found = {"loc": ("body", "a"), "msg": "Value error, leave it out", "type": "value_error", "input": 1}

    assert field_errors([found], {"a": 1})[0].message == "leave it out"

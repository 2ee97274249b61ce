"""Every text that a client may send is judged: by the rule of a line or of prose, or by its own pattern."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import AfterValidator, BaseModel, Field

from api.kernel.languages import tag
from api.kernel.pointers import PARTS
from api.kernel.schemas import Wire
from api.kernel.texts import OneLine, one_line, prose, some_lines
from api.media.schemas import picture_text
from tests.harness.write_models import body_of, write_models

RULES = {one_line, some_lines, prose, picture_text, tag}
# Compared with what is stored, as a hash, and never shown.
SECRETS = {
    ("Register", "password"), ("Login", "password"), ("RefreshRequest", "refresh_token"),
}  # fmt: skip
# Read and kept nowhere, or judged by a form of its own: digits of a GTIN.
ELSEWHERE = {("CreateSession", "capabilities"), ("VariantIn", "gtin"), ("VariantPatch", "gtin")}


def judged(metadata: Sequence[object]) -> bool:
    """Whether one of the marks of a text is a rule or a pattern."""
    for mark in metadata:
        if isinstance(mark, AfterValidator) and mark.func in RULES:
            return True
        if getattr(mark, "pattern", None) is not None:
            return True
        if judged(getattr(mark, "metadata", ())):
            return True
    return False


def texts(annotation: Any, metadata: Sequence[object] = ()) -> Iterator[bool]:
    """For every text inside a type, keys of mappings included: whether it is judged."""
    if annotation is str:
        yield judged(metadata)
    elif get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        yield from texts(inner, [*metadata, *marks])
    elif get_origin(annotation) is not None:
        for argument in get_args(annotation):
            yield from texts(argument)


def loose(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """(model, field) of the texts that nothing judges."""
    for name, field in model.model_fields.items():
        if not all(texts(field.annotation, field.metadata)):
            yield model.__name__, name


def test_every_text_of_every_body_is_judged() -> None:
    models = set().union(*write_models().values())

    assert len(models) > 15
    assert {found for model in models for found in loose(model)} == SECRETS | ELSEWHERE


def test_a_text_that_nothing_judges_is_named() -> None:
    class Body(Wire):
        line: OneLine
        code: Annotated[str, Field(pattern="^[A-Z]$")]
        loose: Annotated[str, Field(max_length=5)] | None
        inside: dict[OneLine, list[str]]

    assert set(loose(Body)) == {("Body", "loose"), ("Body", "inside")}


@pytest.mark.parametrize("operation", sorted(write_models()))
def test_no_field_of_a_body_is_called_like_a_part_of_a_request(operation: str) -> None:
    """`/query/NAME` is a parameter of the address, never a field."""
    names = {field.alias or name for name, field in body_of(operation).model_fields.items()}
    assert names.isdisjoint(PARTS)

"""The bodies that clients may send: of every documented operation, the models of its JSON."""

from collections.abc import Iterator
from typing import get_args

from fastapi.routing import APIRoute
from pydantic import BaseModel

from api import nouns


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models inside a type, those of their fields included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for argument in get_args(annotation):
        yield from models_in(argument)


def write_models() -> dict[str, set[type[BaseModel]]]:
    """The models of the JSON body of every documented operation, by its name."""
    found = {}
    for router, _ in nouns.routers():
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema and route.body_field is not None:
                found[str(route.operation_id)] = set(models_in(route.body_field.field_info.annotation))
    return found


def body_of(operation: str) -> type[BaseModel]:
    """The model of an operation's body."""
    for router, _ in nouns.routers():
        for route in router.routes:
            if isinstance(route, APIRoute) and route.operation_id == operation and route.body_field is not None:
                return next(models_in(route.body_field.field_info.annotation))
    raise LookupError(operation)

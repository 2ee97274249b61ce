"""What differs between two bodies of a product."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from api.catalog.versions.schemas import Difference

Json = Any  # of any form
_ABSENT = object()


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Difference]:
    """By field, and within objects by member; a list is compared whole, but for the variants, which are told apart by
    their ids. A variant that moved in the list has not changed."""
    found = list(_within("", _others(before), _others(after), None))
    return found + list(_variants(before.get("variants", []), after.get("variants", [])))


def _others(body: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in body.items() if name != "variants"}


def _variants(before: list[Json], after: list[Json]) -> Iterator[Difference]:
    was = {variant["variantId"]: (place, variant) for place, variant in enumerate(before)}
    now = {variant["variantId"]: (place, variant) for place, variant in enumerate(after)}
    for variant_id, (place, variant) in was.items():
        if variant_id not in now:
            yield _difference(f"/variants/{place}", variant, _ABSENT, UUID(variant_id))
    for variant_id, (place, variant) in now.items():
        old = was[variant_id][1] if variant_id in was else _ABSENT
        yield from _within(f"/variants/{place}", old, variant, UUID(variant_id))


def _within(pointer: str, before: Json, after: Json, variant_id: UUID | None) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted(before.keys() | after.keys()):
            inner = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from _within(inner, before.get(name, _ABSENT), after.get(name, _ABSENT), variant_id)
    elif before is _ABSENT or after is _ABSENT or before != after:
        yield _difference(pointer, before, after, variant_id)


def _difference(pointer: str, before: Json, after: Json, variant_id: UUID | None) -> Difference:
    op = "added" if before is _ABSENT else "removed" if after is _ABSENT else "changed"
    given = {"before": None if before is _ABSENT else before, "after": None if after is _ABSENT else after}
    return Difference.model_validate({"op": op, "pointer": pointer, "variantId": variant_id, **given})

"""Values that no field takes, and how one is put at every place of a body."""

import copy
from collections.abc import Iterator
from typing import Any
from uuid import uuid4


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


TOO_LARGE = "TOO LARGE"  # becomes 1e400, which json.dumps cannot write
VALUES: list[Any] = [
    *(None, True, -1, 0, 1.5, 10**12, 10**30, TOO_LARGE, float("nan"), float("-inf")),
    *("", " ", "a\u0000b", "\ud800", "\u202e", "x" * 5_000, "9" * 400, "4111 1111 1111 1111"),
    *([], [[]], {}, {"a": {}}, [None], _nested(300), str(uuid4())),
]


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of everything inside a JSON value, containers included."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from leaves(member, (*path, index))


def replaced(body: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(body)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert isinstance(changed, dict)
    return changed

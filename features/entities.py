"""Feast entities, one per entity of the list."""

import features.light_feast  # noqa: F401 - before Feast

# isort: split
from feast import Entity, ValueType

from features.columns import KEYS
from features.columns import Entity as EntityName

ENTITIES: dict[EntityName, Entity] = {
    name: Entity(name=name, join_keys=[key], value_type=ValueType.STRING, description=f"One row per {key}")
    for name, key in KEYS.items()
}

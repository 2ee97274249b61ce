"""Feast feature services, named for the model that uses them."""

from collections.abc import Mapping

from feast import FeatureService, FeatureView

from features.columns import columns_hash

RANKER = "ranker_v1"
SEQUENCE = "sequence_v1"
_MEMBERS: Mapping[str, tuple[str, ...]] = {
    RANKER: ("features_product", "features_user", "features_shop"),
    SEQUENCE: ("features_user_history",),
}


def feature_services(views: Mapping[str, FeatureView]) -> list[FeatureService]:
    """One service per model, tagged with the hash that the model's bundle must carry."""
    return [
        FeatureService(name=name, features=[views[member] for member in members], tags={"columns_hash": columns_hash()})
        for name, members in _MEMBERS.items()
    ]

"""Every settings class of the repository: one base, no secret shown, one default and one meaning per variable."""

import pickle
from collections import defaultdict

import pytest
from pydantic import SecretStr

from features.settings import FeatureSettings
from orchestration.settings import Settings as OrchestrationSettings
from serving.settings import ServingSettings
from training.settings import TrainingSettings
from transforms.settings import TransformSettings
from warehouse.environment import Environment, is_secret, variables_of
from warehouse.settings import WarehouseSettings

CLASSES: tuple[type[Environment], ...] = (
    FeatureSettings,
    OrchestrationSettings,
    ServingSettings,
    TrainingSettings,
    TransformSettings,
    WarehouseSettings,
)
PASSWORD = "postgresql://me:pa55w0rd@host:5432/shop"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__module__)
def test_no_password_is_shown(kind: type[Environment], monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {name: field for name, field in kind.model_fields.items() if is_secret(field)}
    for name, field in secrets.items():
        monkeypatch.setenv(variables_of(name, field)[0], PASSWORD)
    found = kind()
    for name in secrets:
        value = getattr(found, name)
        assert isinstance(value, SecretStr)
        assert value.get_secret_value() == PASSWORD
    if isinstance(found, WarehouseSettings):
        assert found.source_url == PASSWORD  # asked for, and not kept where a dump finds it
    shown = (repr(found), str(found), repr(found.model_dump()), found.model_dump_json(), f"{vars(found)}")
    assert not [text for text in shown if "pa55w0rd" in text]
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - our own bytes


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__module__)
def test_what_may_hold_a_password_is_a_secret(kind: type[Environment]) -> None:
    for name, field in kind.model_fields.items():
        may = name.endswith(("_key", "password", "token")) or any(
            word in name for word in ("database", "redis", "registry", "replication")
        )
        assert is_secret(field) == may, f"{kind.__module__}.{name}"


def test_one_variable_has_one_default_and_one_meaning() -> None:
    defaults: dict[str, set[str]] = defaultdict(set)
    meanings: dict[str, set[str]] = defaultdict(set)
    for kind in CLASSES:
        for name, field in kind.model_fields.items():
            variable = variables_of(name, field)[0]
            assert variable.removeprefix("SOUK_") == name.upper()
            default = field.get_default(
                call_default_factory=True, validated_data={"home": kind.model_fields["home"].default}
            )
            if default is not None and not (isinstance(default, SecretStr) and not default.get_secret_value()):
                defaults[variable].add(str(default))  # None: the embedded server, or a port that `souk up` chooses
            meanings[variable].add(field.description or "")
    assert {variable: found for variable, found in defaults.items() if len(found) > 1} == {}
    assert {variable: found for variable, found in meanings.items() if len(found) > 1 or "" in found} == {}

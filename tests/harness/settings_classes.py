"""Every settings class, and docs/settings.md rendered from them.

It is in `tests`, because only tests may import all packages.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from api.kernel.settings import Settings as ShopSettings
from api.sandbox.settings import SandboxSettings
from features.settings import FeatureSettings
from orchestration.settings import Settings as OrchestrationSettings
from serving.settings import ServingSettings
from tests.harness.processes import ROOT
from training.settings import TrainingSettings
from transforms.settings import TransformSettings
from warehouse.environment import is_secret, variables_of
from warehouse.settings import EventSettings, WarehouseSettings

CLASSES: dict[str, type[BaseSettings]] = {
    "api": ShopSettings,
    "api.sandbox": SandboxSettings,
    "warehouse": WarehouseSettings,
    "warehouse.events": EventSettings,
    "transforms": TransformSettings,
    "features": FeatureSettings,
    "training": TrainingSettings,
    "serving": ServingSettings,
    "orchestration": OrchestrationSettings,
}
_HOME = Path("$SOUK_HOME")
_HEAD = """# Settings

Every variable a process of Souk reads, rendered from the settings classes by `make generate`. `souk up` sets what its
processes need; set a variable yourself to replace a server, to fix an address, or to run one process by hand.

A variable that is set to nothing counts as not set. A wrong value ends the process with a line that names the variable
and the fix. Secrets are masked in every dump and error. Each package's class is in its `settings.py`; all classes share
one base (`warehouse/environment.py`, the same text as `api/kernel/environment.py`). A variable that several packages
read has one default and one meaning.

| variable | default | unit | meaning | read by |
| --- | --- | --- | --- | --- |
"""
_UNITS = {"seconds": "s", "ms": "ms", "bytes": "bytes", "rows": "rows", "hours": "h", "days": "d", "files": "files"}


@dataclass(frozen=True)
class Setting:
    """One variable: the field of each package that reads it."""

    variables: tuple[str, ...]
    readers: tuple[str, ...]
    fields: tuple[FieldInfo, ...]
    unit: str

    @property
    def default(self) -> str:
        """The default as an operator would set it; empty when there is none."""
        found = [text for field in self.fields if (text := default_of(field))]
        return found[0] if found else ""


def default_of(field: FieldInfo) -> str:
    """The default as text of the variable; empty when the field is required or None."""
    if field.is_required():
        return ""
    if field.default_factory is not None and not field.default_factory_takes_validated_data:
        return "by machine" if field.annotation is int else ""
    value = field.get_default(call_default_factory=True, validated_data={"home": _HOME})
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    text = "" if value is None else str(value)
    return text.replace(str(ROOT), ".") if text.startswith(str(ROOT)) else text


def settings() -> list[Setting]:
    """Every variable, in the order of the classes."""
    found: dict[str, list[tuple[str, str, FieldInfo]]] = {}
    for package, kind in CLASSES.items():
        for name, field in kind.model_fields.items():
            found.setdefault(variables_of(name, field)[0], []).append((package, name, field))
    return [
        Setting(
            variables_of(readers[0][1], readers[0][2]),
            tuple(package for package, _, _ in readers),
            tuple(field for _, _, field in readers),
            _unit(readers[0][1], readers[0][2]),
        )
        for readers in found.values()
    ]


def render() -> str:
    """The text of docs/settings.md."""
    return _HEAD + "".join(f"{_row(setting)}\n" for setting in settings())


def _row(setting: Setting) -> str:
    first, *others = setting.variables
    name = f"`{first}`" + "".join(f", also `{other}`" for other in others)
    field = setting.fields[0]
    secret = "**Secret.** " if is_secret(field) else ""
    meaning = " ".join((field.description or "").split()).replace("|", "\\|")
    readers = ", ".join(f"`{reader}`" for reader in setting.readers)
    return f"| {name} | {_shown_default(setting)} | {setting.unit} | {secret}{meaning} | {readers} |"


def _shown_default(setting: Setting) -> str:
    if setting.default:
        return f"`{setting.default}`" if setting.default != "by machine" else "one per core"
    if all(field.is_required() for field in setting.fields):
        return "*required*"
    return "*required*, or chosen by `souk up`" if any(field.is_required() for field in setting.fields) else "none"


def _unit(name: str, field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return " \\| ".join(map(str, get_args(field.annotation)))
    if field.annotation is Decimal:
        return "share" if name.endswith("_rate") else "currency"
    return _UNITS.get(name.rpartition("_")[2], "share" if name.endswith("_share") else "")

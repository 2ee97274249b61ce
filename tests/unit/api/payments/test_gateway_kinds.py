"""Every kind of payment gateway has an adapter of its name, a connection in the settings, and words there."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast, get_args

import pytest
from pydantic import BaseModel

from api.kernel import settings as declared
from api.kernel.context import Context
from api.kernel.settings import Settings
from api.payments import gateways
from api.payments.gateways.registry import gateway_named

SHARED = {"__init__", "interface", "registry"}
# What a connection of any kind needs; a kind with further fields adds them here.
FIELDS = {"url": "http://127.0.0.1:9", "key": "a-secret-key"}


def adapters() -> set[str]:
    """The adapters' modules: one per kind."""
    return {path.stem for path in Path(gateways.__path__[0]).glob("*.py")} - SHARED


def kinds() -> set[str]:
    """The kinds for which the settings declare a connection."""
    models = [kind for kind in vars(declared).values() if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return {get_args(model.model_fields["kind"].annotation)[0] for model in models if "kind" in model.model_fields}


def unmatched(adapters: set[str], kinds: set[str]) -> list[str]:
    """What each lonely adapter or kind still needs."""
    return [
        *(f"{name}: declare its connection, kind {name!r}, in api/kernel/settings.py" for name in adapters - kinds),
        *(f"{kind}: write its adapter, api/payments/gateways/{kind}.py" for kind in kinds - adapters),
    ]


def test_every_adapter_has_a_connection_and_every_connection_an_adapter() -> None:
    assert unmatched(adapters(), kinds()) == []


def test_a_lonely_adapter_and_a_lonely_kind_are_named() -> None:
    assert unmatched({"sandbox", "cards"}, {"sandbox"}) == [
        "cards: declare its connection, kind 'cards', in api/kernel/settings.py"
    ]
    assert unmatched({"sandbox"}, {"sandbox", "cards"}) == ["cards: write its adapter, api/payments/gateways/cards.py"]


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_a_gateway_of_each_kind_is_built_by_its_own_adapter(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("SOUK_PAYMENT_GATEWAYS", json.dumps({"another": {"kind": kind, **FIELDS}}))
    ctx = cast("Context", SimpleNamespace(settings=Settings(), http=None))

    gateway = gateway_named(ctx, "another")

    assert gateway.name == "another"
    assert type(gateway).__module__ == f"api.payments.gateways.{kind}", "gateway_named builds another kind's adapter"
    described = Settings.model_fields["payment_gateways"].description or ""
    assert f'"{kind}"' in described, "name the kind in the words of Settings.payment_gateways"

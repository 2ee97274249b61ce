"""Feast is imported without what makes its import slow, by whoever imports it first."""

import re

import pytest

from tests.harness.processes import ROOT

ANY_OF_FEAST = re.compile(r"^ *(?:from|import) feast\b", re.MULTILINE)


def test_no_call_of_feast_is_checked_and_no_torch_is_imported_for_it() -> None:
    from features.views import feature_views

    from feast.torch_wrapper import get_torch  # isort: skip

    assert callable(feature_views)
    with pytest.raises(ImportError, match=r"features/light_feast\.py"):
        get_torch()
    from feast import FeatureView

    assert "check_argument_types" not in FeatureView.__init__.__code__.co_names


def test_every_module_that_imports_feast_makes_it_light_first() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "features").glob("*.py")}
    importing = {name for name, text in sources.items() if ANY_OF_FEAST.search(text)}

    assert importing == {"entities.py", "materialise.py", "online.py", "online_rows.py", "store.py", "views.py"}
    assert [name for name in importing if "import features.light_feast  #" not in sources[name]] == []

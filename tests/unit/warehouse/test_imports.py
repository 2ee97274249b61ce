"""A library that is left out is neither imported by us nor by a library that would use it."""

import importlib
import subprocess
import sys

import pytest

from warehouse.imports import leave_out

CONVERT = "import sys, pyarrow; pyarrow.array([1]); sys.exit('pandas' in sys.modules)"


def test_importing_a_library_that_is_left_out_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)

    leave_out("colorsys")
    leave_out("colorsys")

    with pytest.raises(ModuleNotFoundError, match="colorsys is left out of this process"):
        importlib.import_module("colorsys")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "imported"), [("", 1), ("import warehouse.imports as i; i.leave_out('pandas'); ", 0)]
)
def test_arrow_imports_pandas_unless_it_is_left_out(before: str, imported: int) -> None:
    assert subprocess.run([sys.executable, "-c", before + CONVERT], check=False).returncode == imported

"""The folder of bundles and the pointer in it that serving reads. A bundle is a folder with a bundle.json."""

import json
import shutil
from pathlib import Path

from warehouse.files import replace_file

POINTER = "champion.json"


def promote(bundle: Path) -> None:
    """Point champion.json at a bundle in the same folder: {"path", "version"}, replaced in one rename."""
    replace_file(bundle.parent / POINTER, json.dumps({"path": bundle.name, "version": bundle.name}))


def champion_of(models: Path) -> str | None:
    """The version of the bundle the pointer names, None before the first promotion."""
    pointer = models / POINTER
    return str(json.loads(pointer.read_text())["path"]) if pointer.is_file() else None


def prune(models: Path, keep: int) -> list[str]:
    """Remove the oldest bundles beyond `keep`, never the champion; returns the removed versions."""
    champion = champion_of(models)
    bundles = sorted(path for path in models.iterdir() if (path / "bundle.json").is_file())
    removed = [path.name for path in bundles[: max(len(bundles) - keep, 0)] if path.name != champion]
    for name in removed:
        shutil.rmtree(models / name)
    return removed

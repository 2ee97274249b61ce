"""Versions of the code that makes an asset: Dagster marks what was made by another version as out of date."""

from functools import cache
from hashlib import sha256
from pathlib import Path

_CODE = {".py", ".sql", ".yml", ".json"}


@cache
def version_of(*places: Path) -> str:
    """A hash of the text of these files, and of the code files in these folders."""
    files = {
        path
        for place in places
        for path in ([place] if place.is_file() else place.rglob("*"))
        if path.suffix in _CODE and path.is_file()
    }
    digest = sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()[:12]

"""The files of the index: one folder per generation and a pointer to the current one,
replaced atomically without stopping readers.

search/current            the name of the generation that counts
search/5.1-en.de-0193.../ a Tantivy index, and state.json: how far it has read the catalog
    suggestions/          a Tantivy index of completions and words
search/lock               held by the process that writes
"""

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from api.kernel.files import replace_file
from api.kernel.ids import new_id
from api.kernel.languages import Languages
from api.kernel.settings import Settings
from api.search import documents
from api.search.suggestions import schema as suggestions
from api.search.texts import SHOP


@dataclass(frozen=True, slots=True)
class IndexStore:
    """`languages`: those that the catalog may be in; an index for others is not used."""

    root: Path
    languages: Languages = SHOP

    @classmethod
    def of(cls, settings: Settings) -> "IndexStore":
        """Where a shop has its index."""
        return cls(settings.home / "search", settings.languages)

    @property
    def _pointer(self) -> Path:
        return self.root / "current"

    @property
    def _form(self) -> str:
        versions = f"{documents.SCHEMA_VERSION}.{suggestions.SCHEMA_VERSION}"
        return f"{versions}-{'.'.join(self.languages.known)}-"

    def current(self) -> Path | None:
        """The generation in use; None before the first, and when it was made for another schema."""
        try:
            name = self._pointer.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        folder = self.root / name
        return folder if name.startswith(self._form) and (folder / "state.json").is_file() else None

    def pointed(self) -> tuple[int, int] | None:
        """Another one after each `publish`; None before the first. A look costs less than `current`."""
        try:
            found = self._pointer.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def new_generation(self) -> Path:
        """An empty folder for a build."""
        folder = self.root / f"{self._form}{new_id()}"
        folder.mkdir(parents=True)
        return folder

    def publish(self, folder: Path) -> None:
        """Make a finished generation the current one and remove earlier ones.

        Open readers keep their files until they reopen.
        """
        before = [other for other in self.root.iterdir() if other.is_dir() and other != folder]
        replace_file(self._pointer, folder.name)
        for other in before:
            shutil.rmtree(other, ignore_errors=True)

    @contextlib.contextmanager
    def writing(self, *, wait: bool) -> Iterator[bool]:
        """Hold the write lock; yields False when another process holds it and `wait` is False."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


def read_watermark(folder: Path) -> datetime:
    """The database time up to which the generation has read the catalog."""
    return datetime.fromisoformat(json.loads((folder / "state.json").read_text(encoding="utf-8"))["watermark"])


def write_watermark(folder: Path, watermark: datetime) -> None:
    """Write the watermark, after the index's commit: after a crash between the two some
    changes are read again and none is missed."""
    replace_file(folder / "state.json", json.dumps({"watermark": watermark.isoformat()}))

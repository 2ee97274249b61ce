"""Objects as files below one folder."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from api.kernel.files import replace_file
from api.media.store.interface import Listed, StoreFailed

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Files that this machine's processes share. They are for the shop alone: it decides which it serves."""

    root: Path

    def put(self, key: str, content: bytes) -> None:
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                replace_file(path, content, mode=0o600)
            except FileNotFoundError:  # the folder was empty for a moment, and removed
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                replace_file(path, content, mode=0o600)
        except OSError as error:
            raise StoreFailed(str(error)) from error

    def get(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreFailed(str(error)) from error

    def delete(self, keys: Collection[str]) -> None:
        try:
            for key in keys:
                path = self._path(key)
                path.unlink(missing_ok=True)
                _remove_empty(path.parent)
        except OSError as error:
            raise StoreFailed(str(error)) from error

    def listed(self, prefix: str) -> Iterator[Listed]:
        try:
            for path in (self.root / prefix).rglob("*"):
                try:
                    if not path.name.startswith(".") and path.is_file():
                        put_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                        yield Listed(path.relative_to(self.root).as_posix(), put_at)
                except FileNotFoundError:  # deleted since it was listed
                    continue
        except OSError as error:
            raise StoreFailed(str(error)) from error

    def _path(self, key: str) -> Path:
        """Raises: ValueError for a key that would leave the folder."""
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"not a key: {key!r}")
        return self.root / key


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # something is in it, or it is gone
        return

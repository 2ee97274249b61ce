"""Keeps a library out of a process that does not use it."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Absent(MetaPathFinder):
    def __init__(self, library: str) -> None:
        self.library = library

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == self.library:
            raise ModuleNotFoundError(f"{name} is left out of this process", name=name)
        return None


def leave_out(library: str) -> None:
    """Importing it fails from now on, as if it were not installed.

    pyarrow imports pandas at the first list that it converts, to know a data frame when it gets one: a second of
    processor time and 45 MB.
    """
    if not any(isinstance(finder, _Absent) and finder.library == library for finder in sys.meta_path):
        sys.meta_path.insert(0, _Absent(library))

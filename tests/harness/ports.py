"""Ports for servers that tests start, unique on the machine at any time."""

import fcntl
import os
import secrets
import tempfile
from pathlib import Path
from typing import IO

from orchestration.runtime.ports import is_free

# Below the ports of the product's own processes (orchestration/runtime/ports.py), above the well-known ports.
_LOWEST, _HIGHEST = 12_000, 20_000
_FOLDER = Path(tempfile.gettempdir()) / f"souk-test-ports-{os.getuid()}"
_held: list[IO[bytes]] = []


def free_port() -> int:
    """A free port that no other test process takes while this one runs. A lock on a file per port reserves it."""
    _FOLDER.mkdir(exist_ok=True)
    while True:
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        file = (_FOLDER / str(port)).open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        if is_free(port):
            _held.append(file)
            return port
        file.close()

"""Files that a reader sees in their old or their new state, also after a crash or on a full disk.

`warehouse/files.py` and `api/kernel/files.py` are one text in two places, because neither side may import the other; a
test compares them.
"""

import json
import os
from pathlib import Path
from uuid import uuid4


def replace_file(path: Path, content: str | bytes, *, mode: int = 0o666, durable: bool = True) -> None:
    """Write `content` next to `path` and rename it to `path`; a failure leaves `path` as it was and no other file.

    `mode` is narrowed by the process's umask. Without `durable` a power cut may lose the newest content: for what is
    written every second and worth nothing after a restart.
    """
    partial = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        if durable:
            move_into_place(partial, path)
        else:
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def move_into_place(finished: Path, path: Path) -> None:
    """Rename a complete file of the same file system onto `path`; once this returns, a power cut does not undo it."""
    sync(finished)
    finished.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """fsync a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path) -> dict[str, object]:
    """What another process wrote about itself; empty when there is no file, or no JSON object in it."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}

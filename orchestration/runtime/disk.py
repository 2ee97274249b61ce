"""Free space for the state directory. Messages name the disk, the folder, the free and the needed space."""

import os
import tempfile
from pathlib import Path

NEEDED_BYTES = 2 * 1024**3  # a demo's data, logs and the write-ahead log held back for change capture
# Below this, running processes will soon be unable to write data or records.
FULL_BYTES = 16 * 1024**2
_ADVICE = "free some, or set SOUK_HOME to a folder on a larger disk"


def existing_part(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write on the folder's disk. The folder need not exist."""
    state = os.statvfs(existing_part(folder))
    return state.f_bavail * state.f_frsize


def lack_of_room(folder: Path, needed: int = NEEDED_BYTES) -> str | None:
    """Why `folder` has no room for `needed` more bytes, or None when it has."""
    place = existing_part(folder)
    state = os.statvfs(place)
    free = state.f_bavail * state.f_frsize
    if free < needed:
        return (
            f"{free >> 20:,} MiB free on the disk at {_mount_point(place)}, {needed >> 20:,} MiB needed for {folder}:"
            f" {_ADVICE}"
        )
    if state.f_files and not state.f_favail:
        return (
            f"the disk at {_mount_point(place)} can hold no more files (its inodes are used up), needed for {folder}:"
            f" {_ADVICE}"
        )
    return None


def refusal_to_write(folder: Path) -> str | None:
    """Why `folder` cannot be created or written, or None when it can."""
    place = existing_part(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            return None
    except OSError as error:
        advice = "change its owner, or " if isinstance(error, PermissionError) else ""
        return (
            f"cannot write in {place} ({error.strerror}), needed for {folder}: {advice}set SOUK_HOME to a folder of"
            " yours"
        )


def _mount_point(place: Path) -> Path:
    while not place.is_mount():
        place = place.parent
    return place

"""Opening an index to write to it."""

from pathlib import Path

import tantivy

from api.kernel.logs import get_logger

log = get_logger(__name__)

HEAP_BYTES = 32_000_000


def open_writer(folder: Path, index: tantivy.Index, heap_bytes: int = HEAP_BYTES) -> tantivy.IndexWriter:
    """A writer, and no file that the last commit does not name.

    A writer that ended before its commit leaves such files, and the next gives its own the same names: it would fail on
    them every time. Open readers keep theirs, as after a commit.
    """
    writer = index.writer(heap_bytes, 1)
    before = set(folder.iterdir())
    writer.garbage_collect_files()
    if left := before.difference(folder.iterdir()):
        log.warning("search index cleaned of the files of a killed writer", files=len(left))
    return writer

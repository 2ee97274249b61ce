"""dbt's parse of the project, kept next to its files as Python keeps compiled modules.

To parse takes longer than to build every mart of a small shop, and gives the same until a file of the project changes.
"""

import hashlib
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.files import replace_file

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# What dbt writes into its target folder after it parsed.
_WRITTEN = "partial_parse.msgpack"


def kept_file(project: Path, database: Path) -> Path:
    """Where the parse of this state of the project is kept; dbt's versions and the database's name, which stands in
    every relation, are part of it."""
    said = hashlib.sha256()
    for distribution in ("dbt-core", "dbt-adapters", "dbt-duckdb"):
        said.update(f"{distribution}={version(distribution)}\n".encode())
    for path in sorted(path for path in project.rglob("*") if path.suffix in {".sql", ".yml"}):
        content = path.read_bytes()
        said.update(f"{path.relative_to(project)}\n{len(content)}\n".encode() + content)
    return project / "__pycache__" / f"{database.stem}.{said.hexdigest()[:16]}.msgpack"


def read_parsed(kept: Path) -> "Manifest | None":
    """The parsed project, for dbt to begin with; None where none is kept or the file is damaged."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    try:
        manifest = Manifest.from_msgpack(kept.read_bytes(), decoder=extended_mashumuro_decoder)
    except FileNotFoundError:
        return None
    except Exception:  # noqa: BLE001 - whatever is wrong with the file, dbt can parse
        return None
    manifest.metadata.generated_at = datetime.now(UTC).replace(tzinfo=None)
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]  # dbt does not annotate it
    return manifest


def keep_parsed(kept: Path, target: Path) -> None:
    """Keep what dbt wrote into its target folder, in place of earlier states of the project. Where the folder cannot
    be written, and where Python writes no compiled modules either, every process parses."""
    written = target / _WRITTEN
    if sys.dont_write_bytecode or not written.exists():
        return
    with suppress(OSError):
        kept.parent.mkdir(exist_ok=True)
        replace_file(kept, written.read_bytes(), durable=False)
        for old in kept.parent.glob(f"{kept.name.split('.', maxsplit=1)[0]}.*.msgpack"):
            if old != kept:
                old.unlink(missing_ok=True)

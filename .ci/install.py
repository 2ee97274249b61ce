"""Fill .venv from requirements.lock: the one way to install, on an ordinary machine and on one whose wheels come from pip's configuration.

Run by `make install` with .venv/bin/python. Uses the standard library only: nothing else is there yet. Repeating it is cheap:
a stamp in .venv holds a digest of what was installed.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

UV = "uv==0.13.9"
ROOT = Path(__file__).resolve().parents[1]
INPUTS = ("requirements.lock", ".ci/overrides.txt", ".ci/install.py", "pyproject.toml")


def digest() -> str:
    """Of everything that decides what lies in .venv."""
    content = b"\0".join((ROOT / name).read_bytes() for name in INPUTS)
    return hashlib.sha256(content + sys.version.encode() + str(ROOT).encode()).hexdigest()


def pip_configuration() -> dict[str, list[str]]:
    """Where pip is told to look: find-links, index-url, extra-index-url, cert. Files and PIP_* variables; empty on an ordinary machine.

    `pip config list` prints lines like global.find-links='/a /b'; later ones (the environment) win.
    """
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    found: dict[str, list[str]] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        option = name.rsplit(".", 1)[-1].replace("_", "-")
        section = name.rsplit(".", 1)[0]
        if section in {"global", "install", ":env:"}:
            found[option] = value.strip("'\"").replace("\\n", " ").split()
    return found


def uv_options(configured: dict[str, list[str]]) -> list[str]:
    """pip's places in uv's words; uv does not read pip's configuration."""
    options = []
    for place in configured.get("find-links", []):
        options += ["--find-links", place]
    for url in configured.get("index-url", [])[-1:]:
        options += ["--default-index", url]
    for url in configured.get("extra-index-url", []):
        options += ["--index", url]
    if "extra-index-url" in configured:
        # As pip does: all indexes count alike. Every version is pinned, so a second index cannot smuggle in a newer one.
        options += ["--index-strategy", "unsafe-best-match"]
    return options


def run(*argv: str) -> None:
    """Run, output visible; a failure ends the installation with the command's own words above ours."""
    if subprocess.run(argv, cwd=ROOT, check=False).returncode != 0:
        sys.exit(f"installation failed at: {' '.join(argv[:6])} ... Mend what the lines above say and run `make install` again.")


def main() -> None:
    """Install unless the stamp says that nothing changed."""
    if sys.version_info[:2] != (3, 11):
        sys.exit(f".venv has Python {sys.version.split()[0]}, Souk runs on 3.11: remove .venv, install 3.11, run `make install` again.")
    if (ROOT / ".venv").is_symlink():
        return  # shared with another checkout, which fills it
    stamp = Path(sys.prefix) / "souk-installed"
    if stamp.exists() and stamp.read_text(encoding="ascii") == digest():
        return
    uv = str(Path(sys.prefix) / "bin" / "uv")
    options = uv_options(pip_configuration())
    print(f"installing into {sys.prefix} from requirements.lock", flush=True)  # noqa: T201 - this is a program
    run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV)
    # install, not sync: sync would drop the libraries that an index's torch brings beyond the lock.
    run(uv, "pip", "install", "--python", sys.executable, "-r", "requirements.lock", "--override", ".ci/overrides.txt", *options)
    run(uv, "pip", "install", "--python", sys.executable, "--no-deps", "--no-build-isolation", "-e", ".", *options)
    stamp.write_text(digest(), encoding="ascii")


if __name__ == "__main__":
    main()

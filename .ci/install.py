"""Fill .venv from requirements.lock: the one way to install, on an ordinary machine and on one whose wheels come from
pip's configuration.

Run by `make install` with .venv/bin/python. Uses the standard library only: nothing else is there yet. Repeating it is
cheap: a stamp in .venv holds a digest of what was installed.
"""

import hashlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

UV = "uv==0.13.9"
ROOT = Path(__file__).resolve().parents[1]
INPUTS = ("requirements.lock", ".ci/overrides.txt", ".ci/install.py", "pyproject.toml")


def digest() -> str:
    """Of everything that decides what lies in .venv."""
    content = b"\0".join((ROOT / name).read_bytes() for name in INPUTS)
    return hashlib.sha256(content + sys.version.encode() + str(ROOT).encode()).hexdigest()


def pip_configuration() -> dict[str, list[str]]:
    """Where pip is told to look: find-links, index-url, cert and the like. Files and PIP_* variables; empty on an
    ordinary machine.

    `pip config list` prints lines like global.find-links='/a /b'; later ones (the environment) win.
    """
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        sys.exit(
            f"pip does not work in {sys.prefix}: {asked.stderr.strip()}. Mend that, or remove .venv, then run `make"
            " install` again."
        )
    found: dict[str, list[str]] = {}
    for line in asked.stdout.splitlines():
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
        # As pip does: all indexes count alike. Every version is pinned, so a second index cannot smuggle in a newer
        # one.
        options += ["--index-strategy", "unsafe-best-match"]
    for host in configured.get("trusted-host", []):
        options += ["--allow-insecure-host", host]
    if configured.get("no-index", ["false"])[-1].lower() in {"1", "true", "yes", "on"}:
        options += ["--no-index"]
    return options


def uv_environment(configured: dict[str, list[str]]) -> dict[str, str]:
    """pip's own certificates for uv, unless uv was told of others."""
    given = configured.get("cert", [])[-1:]
    return {**({"SSL_CERT_FILE": given[0]} if given else {}), **os.environ}


def run(*argv: str, configured: dict[str, list[str]]) -> None:
    """Run, output visible; a failure ends the installation with the command's own words above ours."""
    if subprocess.run(argv, cwd=ROOT, env=uv_environment(configured), check=False).returncode != 0:
        advice = f"Mend what the lines above say and run `make install` again.\n{places(configured)}"
        sys.exit(f"installation failed at: {' '.join(argv[:6])} ... {advice}")


def compile_all() -> None:
    """Compile what processes import, on every core, and parse dbt's project. Else the first start of each process would
    do it, several the same file at once, and that takes longer than the rest of the first start."""
    packages = [path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"]
    folders = (sysconfig.get_path("purelib"), *sorted(packages))
    command = (sys.executable, "-m", "compileall", "-qq", "-j", "0", "-x", "site-packages/.*/tests?/", *folders)
    # Without a check: some wheels hold templates that end in .py.
    subprocess.run(command, cwd=ROOT, check=False)
    # The same for dbt's project. Without a check too: a build parses where nothing is kept.
    parse = "from transforms.dbt_project import keep_parse; keep_parse()"
    subprocess.run((sys.executable, "-c", parse), cwd=ROOT, check=False)


def places(configured: dict[str, list[str]]) -> str:
    """Where packages were looked for, and how to name another place."""
    named = [
        f"{option} {' '.join(configured[option])}"
        for option in ("find-links", "index-url", "extra-index-url")
        if configured.get(option)
    ]
    looked = ", ".join(named) or "https://pypi.org, because pip's configuration names no other place"
    return f"Packages were looked for in: {looked}. PIP_FIND_LINKS=folder or PIP_INDEX_URL=url name a place of yours."


def main() -> None:
    """Install unless the stamp says that nothing changed."""
    if sys.version_info[:2] != (3, 11):
        sys.exit(
            f".venv has Python {sys.version.split()[0]}, Souk runs on 3.11: remove .venv, install 3.11, run `make"
            " install` again."
        )
    if (ROOT / ".venv").is_symlink():
        return  # shared with another checkout, which fills it
    stamp = Path(sys.prefix) / "souk-installed"
    if stamp.exists() and stamp.read_text(encoding="ascii") == digest():
        return
    uv = str(Path(sys.prefix) / "bin" / "uv")
    configured = pip_configuration()
    options = uv_options(configured)
    print(f"installing into {sys.prefix} from requirements.lock", flush=True)  # noqa: T201 - this is a program
    run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV, configured=configured)
    # install, not sync: sync would drop the libraries that an index's torch brings beyond the lock.
    install = (uv, "pip", "install", "--python", sys.executable)
    run(*install, "-r", "requirements.lock", "--override", ".ci/overrides.txt", *options, configured=configured)
    run(*install, "--no-deps", "--no-build-isolation", "-e", ".", *options, configured=configured)
    compile_all()
    stamp.write_text(digest(), encoding="ascii")


if __name__ == "__main__":
    main()

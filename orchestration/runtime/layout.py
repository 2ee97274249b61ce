"""The paths inside one state directory."""

import contextlib
import getpass
import os
from dataclasses import dataclass
from pathlib import Path

from orchestration.runtime.errors import RuntimeProblem


@dataclass(frozen=True)
class Layout:
    """Paths under SOUK_HOME. Nothing is written outside it."""

    home: Path

    @property
    def config(self) -> Path:
        """Generated passwords, secrets and ports (0600)."""
        return self.home / "config.json"

    @property
    def accounts(self) -> Path:
        """Passwords of the demo shopper, seller and admin (0600)."""
        return self.home / "demo-accounts.json"

    @property
    def run(self) -> Path:
        """One JSON file per running service."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        """One log per service."""
        return self.home / "logs"

    @property
    def mail(self) -> Path:
        """Mail that no SMTP server takes (0700)."""
        return self.home / "mail"

    @property
    def keys(self) -> Path:
        """Signing keys (0700)."""
        return self.home / "keys"

    @property
    def supervisor_lock(self) -> Path:
        """Locked by the supervisor while it runs."""
        return self.run / "supervisor.lock"

    @property
    def command_lock(self) -> Path:
        """Locked by the `up` or `down` that runs."""
        return self.run / "command.lock"

    def log(self, service: str) -> Path:
        """The log of one service."""
        return self.logs / f"{service}.log"

    def create(self) -> None:
        """Create the folders, readable by their owner only."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in (
            "run",
            "logs",
            "keys",
            "lake",
            "marts/build",
            "dbt",
            "features",
            "feast",
            "search",
            "models",
            "mlflow",
            "dagster",
            "sandbox",
            "spool",
            "mail",
        ):
            (self.home / name).mkdir(parents=True, exist_ok=True, mode=0o700)


def open_layout(home: Path) -> Layout:
    """The layout of a state directory that may not exist yet. Raises: RuntimeProblem when it cannot be opened."""
    try:
        resolved = home.expanduser().resolve()
        with contextlib.suppress(FileNotFoundError), os.scandir(resolved):
            pass
    except NotADirectoryError:
        raise RuntimeProblem(f"SOUK_HOME={home} is not a folder: set it to one, which may be new") from None
    except PermissionError as error:
        raise RuntimeProblem(
            f"SOUK_HOME={home} is closed to {getpass.getuser()}: work as the user who started it, or set SOUK_HOME to a"
            " folder of yours"
        ) from error
    except (OSError, RuntimeError) as error:  # a name that is too long, a loop of links, ~ with an unknown user
        raise RuntimeProblem(f"SOUK_HOME={home} cannot be used ({error}): set it to another folder") from error
    return Layout(resolved)

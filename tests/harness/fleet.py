"""API and worker processes that share one environment; a test starts as many as it needs."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.api import Server
from tests.harness.processes import Module


class Fleet:
    """Starts processes, all with `env`. Those that still run at the end are killed."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = {"SOUK_API_WORKERS": "1", "SOUK_LOG_LEVEL": "warning", **env}
        self.apis: list[Server] = []
        self._workers: list[Module] = []

    def api(self, *, mutant: str = "", **env: str) -> Server:
        """A ready API process."""
        server = Server("api", "SOUK_API_URL", self._folder, {**self._env, **env})
        self.apis.append(server)
        server.start(mutant=mutant)
        return server

    def worker(self, *, mutant: str = "", **env: str) -> Module:
        """A worker process that has been started."""
        worker = Module("api.worker", self._folder, {**self._env, **env})
        self._workers.append(worker)
        worker.start(mutant=mutant)
        return worker

    def living_apis(self) -> list[Server]:
        return [api for api in self.apis if api.process is not None and api.exit_code() is None]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self.apis, *self._workers):
            process.kill9()

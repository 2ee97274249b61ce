"""One machine's addresses: settings, generated config and state directory put together, and the environment every
process gets."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from orchestration.runtime.bootstrap import OWNER, REPLICATOR
from orchestration.runtime.config import Config, ensure_signing_key
from orchestration.runtime.layout import Layout, open_layout
from orchestration.runtime.postgres import PostgresCluster
from orchestration.runtime.redis_server import RedisServer
from orchestration.settings import Settings

SUPERVISED = "SOUK_SUPERVISED"  # every process of a supervisor carries its state directory under this name


@dataclass(frozen=True)
class Machine:
    """The address or path of every part of one state directory."""

    settings: Settings
    layout: Layout
    config: Config

    @property
    def cluster(self) -> PostgresCluster:
        """The embedded Postgres."""
        return PostgresCluster(
            self.layout.home / "postgres", self.config.ports["postgres"], self.config.postgres_password
        )

    @property
    def redis_server(self) -> RedisServer:
        """The embedded Redis."""
        return RedisServer(self.layout.home / "redis", self.config.ports["redis"], self.config.redis_password)

    @property
    def database_url(self) -> str:
        """The shop's database, as its owner."""
        given = self.settings.database_url
        return given.get_secret_value() if given else self.cluster.url("souk", OWNER, self.config.owner_password)

    @property
    def replication_url(self) -> str:
        """The shop's database, as the role that replicates and reads."""
        if self.settings.replication_url:
            return self.settings.replication_url.get_secret_value()
        return (
            self.database_url
            if self.settings.database_url
            else self.cluster.url("souk", REPLICATOR, self.config.replicator_password)
        )

    def sibling_database(self, name: str) -> str:
        """Another database of the same server: dagster, mlflow or feast."""
        return urlunsplit(urlsplit(self.database_url)._replace(path=f"/{name}"))

    @property
    def redis_url(self) -> str:
        """Redis, password included."""
        return self.settings.redis_url.get_secret_value() if self.settings.redis_url else self.redis_server.url

    def address(self, name: str) -> str:
        """Base URL of sandbox, api, serving, dagster or mlflow."""
        given = {
            "api": self.settings.api_url,
            "sandbox": self.settings.sandbox_url,
            "serving": self.settings.serving_url,
            "dagster": self.settings.dagster_url,
            "mlflow": self.settings.mlflow_tracking_uri,
        }[name]
        return (given or f"http://127.0.0.1:{self.config.ports[name]}").rstrip("/")

    def environment(self) -> dict[str, str]:
        """The environment of every process: this process's own, plus the variables that Souk sets.

        A variable that is already set keeps its value.
        """
        settings, secret = self.settings, self.config
        dagster_url = settings.dagster_database_url
        feast_url = settings.feast_registry_url
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYSPARK_PYTHON": sys.executable,  # Spark's workers must find the same wheels
            "SOUK_HOME": str(self.layout.home),
            "SOUK_PROFILE": settings.profile,
            "DATABASE_URL": self.database_url,
            "REPLICATION_URL": self.replication_url,
            "REDIS_URL": self.redis_url,
            "SOUK_API_URL": self.address("api"),
            "SOUK_SANDBOX_URL": self.address("sandbox"),
            "SOUK_SERVING_URL": self.address("serving"),
            "SOUK_DAGSTER_URL": self.address("dagster"),
            "MLFLOW_TRACKING_URI": self.address("mlflow"),
            "FEAST_REGISTRY_URL": feast_url.get_secret_value() if feast_url else self.sibling_database("feast"),
            "DAGSTER_DATABASE_URL": dagster_url.get_secret_value() if dagster_url else self.sibling_database("dagster"),
            "DAGSTER_HOME": str(self.layout.home / "dagster"),
            "SOUK_LAKE_URI": settings.lake_uri,
            "SOUK_MARTS_PATH": str(settings.marts_path),
            "SOUK_DBT_TARGET": str(settings.dbt_target),
            "SPARK_MASTER": settings.spark_master,
            "SOUK_SECRET_KEY": settings.secret_key.get_secret_value() if settings.secret_key else secret.secret_key,
            "SOUK_SANDBOX_KEY": settings.sandbox_key.get_secret_value() if settings.sandbox_key else secret.sandbox_key,
            "SOUK_JWT_KEY_FILE": str(settings.jwt_key_file or ensure_signing_key(self.layout)),
            **_QUIET,
        }


# Telemetry is off. Heaps stay small: glibc gives each thread an arena, which costs much memory with a dozen servers.
_QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "DO_NOT_TRACK": "1",
    "FEAST_USAGE": "False",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "MALLOC_ARENA_MAX": "2",
    "PYTHONUNBUFFERED": "1",
}


def load_machine(settings: Settings) -> Machine | None:
    """The machine of this state directory, or None before its first start.

    Raises: RuntimeProblem when it cannot be read.
    """
    layout = open_layout(settings.home)
    config = Config.load(layout)
    return None if config is None else Machine(settings, layout, config)

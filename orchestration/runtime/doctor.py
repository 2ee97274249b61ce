"""Checks of this machine before anything is started, each with the fix."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from orchestration.runtime.databases import check_outside_server
from orchestration.runtime.disk import NEEDED_BYTES, free_bytes, lack_of_room, refusal_to_write
from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.health import redis_ok
from orchestration.runtime.layout import open_layout
from orchestration.runtime.machine import Machine
from orchestration.runtime.ports import is_free
from orchestration.runtime.postgres import postgres_bin
from orchestration.runtime.process import run_to_end
from orchestration.runtime.redis_server import redis_binary
from orchestration.runtime.state import process_of, read_record
from orchestration.settings import ROOT, Settings
from transforms.java import JavaMissingError, find_java

NEEDED_MEMORY_BYTES = 4 * 1024**3


@dataclass(frozen=True)
class Finding:
    """One check. `essential`: `souk up` refuses to start without it."""

    name: str
    ok: bool
    detail: str
    essential: bool = True


def check_python() -> Finding:
    """3.11, the version for which the lock file was resolved and tested."""
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info[:2] == (3, 11)
    return Finding(
        "python", ok, version if ok else f"{version}; Souk runs on Python 3.11: install it and run `make install`"
    )


def check_disk(home: Path, needed: int) -> Finding:
    """Free space and write permission for the state directory."""
    problem = refusal_to_write(home) or lack_of_room(home, needed)
    return Finding("disk", problem is None, problem or f"{free_bytes(home) / 1024**3:,.1f} GiB free for {home}")


def check_memory() -> Finding:
    """Warns only: with little memory the platform is slow but works."""
    available = psutil.virtual_memory().available
    ok = available >= NEEDED_MEMORY_BYTES
    advice = "" if ok else "; everything together takes up to 6 GiB, SOUK_SERVICES can name fewer services"
    return Finding("memory", ok, f"{available / 1024**3:.1f} GiB available{advice}", essential=False)


def check_postgres(settings: Settings) -> Finding:
    """The embedded binaries start, or change capture can read the operator's server."""
    try:
        if settings.database_url is not None:
            url = settings.database_url.get_secret_value()
            check_outside_server(url, settings.replication_url.get_secret_value() if settings.replication_url else url)
            return Finding(
                "postgres", True, f"DATABASE_URL on {urlsplit(url).hostname}, wal_level logical, replication allowed"
            )
        done = run_to_end([str(postgres_bin() / "postgres"), "--version"], drop_root=True, timeout=30)
    except (RuntimeProblem, OSError) as problem:
        return Finding("postgres", False, str(problem))
    return Finding("postgres", done.returncode == 0, (done.stdout or done.stderr).strip())


def check_publication(machine: Machine) -> Finding:
    """Postgres takes updates and deletes of every published table."""
    argv = [sys.executable, "-m", "api.operations.published"]
    try:
        done = subprocess.run(
            argv, cwd=ROOT, env=machine.environment(), capture_output=True, text=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding("publication", False, "the database does not answer within 30 s", essential=False)
    if done.stdout.strip():
        return Finding("publication", False, done.stdout.strip())
    if done.returncode != 0:
        last = [line for line in done.stderr.split("\n") if line.strip()][-1:]
        return Finding("publication", False, f"not checked: {''.join(last)}", essential=False)
    return Finding("publication", True, "every published table takes updates and deletes")


def check_redis(settings: Settings) -> Finding:
    """The embedded binary exists, or the operator's server answers."""
    if settings.redis_url is not None:
        health = redis_ok(settings.redis_url.get_secret_value())(0)
        return Finding(
            "redis",
            health.ok,
            (
                "REDIS_URL answers"
                if health.ok
                else f"REDIS_URL does not answer: {health.detail}. Check host, port and password."
            ),
        )
    try:
        done = run_to_end([str(redis_binary()), "--version"], drop_root=False, timeout=30)
    except (RuntimeProblem, OSError) as problem:
        return Finding("redis", False, str(problem))
    return Finding("redis", done.returncode == 0, done.stdout.strip().split(" sha=")[0])


def check_java(home: Path) -> Finding:
    """A Java for Spark, which a small shop does not need."""
    try:
        java = find_java(os.environ, home / "java")
    except (JavaMissingError, OSError) as error:  # OSError: the shim cannot be written
        needed = "Without it jobs over all orders run in DuckDB only (SOUK_SPARK_FROM_LINES)."
        return Finding("java", False, f"{error} {needed}", essential=False)
    return Finding("java", True, f"Java {java.version} from {java.source}: {java.home}")


def check_addresses(settings: Settings, running: Callable[[str], bool]) -> Iterator[Finding]:
    """Addresses set in the environment must be free. Ports chosen by Souk change when they are taken."""
    for name, variable, url in (
        ("api", "SOUK_API_URL", settings.api_url),
        ("sandbox", "SOUK_SANDBOX_URL", settings.sandbox_url),
        ("serving", "SOUK_SERVING_URL", settings.serving_url),
        ("dagster", "SOUK_DAGSTER_URL", settings.dagster_url),
    ):
        if url is None:
            continue
        port = urlsplit(url).port
        if port is None:
            yield Finding(f"port of {name}", False, f"{variable}={url} has no port: write it as http://127.0.0.1:PORT")
        elif running(name) or is_free(port):
            yield Finding(f"port of {name}", True, f"{port}")
        else:
            yield Finding(
                f"port of {name}",
                False,
                f"port {port} of {variable} is taken by {listener_on(port)}: stop that, or set {variable} to another"
                " port",
            )


def listener_on(port: int) -> str:
    """A description of the process that listens on a port."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another process"


def examine(settings: Settings, machine: Machine | None) -> list[Finding]:
    """Every check, in the order in which an operator fixes them."""
    layout = open_layout(settings.home)
    home = layout.home

    def running(service: str) -> bool:
        return process_of(read_record(layout, service)) is not None

    found = [
        check_python(),
        check_disk(home, NEEDED_BYTES),
        check_memory(),
        check_postgres(settings),
        check_redis(settings),
        check_java(home),
    ]
    found += check_addresses(settings, running)
    if machine is not None and (settings.database_url is not None or running("postgres")):
        found.append(check_publication(machine))
    if machine is not None:
        for name, port in machine.config.ports.items():
            if not running(name) and not is_free(port):
                found.append(
                    Finding(
                        f"port of {name}",
                        True,
                        f"{port} is taken by {listener_on(port)}; the next `souk up` chooses another",
                    )
                )
    return found

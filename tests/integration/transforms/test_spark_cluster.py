"""Spark's jobs on a cluster: a master and two workers on hosts of their own, and a folder that all of them see."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pyspark
import pytest

from tests.harness.namespaces import Host, NamespacesRefused, hosts
from tests.harness.processes import ROOT
from tests.harness.synthetic_lake import START, random_shop, write_lake
from transforms.java import find_java
from transforms.jobs.duckdb_engine import DuckdbEngine
from transforms.jobs.run import run
from transforms.settings import TransformSettings
from warehouse.lake.derived import read_derived

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(600)]
SPARK_HOME = Path(pyspark.__file__).parent


class Cluster:
    """A master and two workers of one core each; a log per process."""

    def __init__(self, network: Mapping[str, Host], folder: Path) -> None:
        self.network = network
        self.folder = folder
        self.url = f"spark://{network['master'].address}:7077"
        java = find_java(os.environ, folder / "java")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOUK_", "SPARK_"))}
        self.environment = kept | {"JAVA_HOME": str(java.home)}

    @contextmanager
    def running(self) -> Iterator[None]:
        with ExitStack() as stack:
            begin = ("org.apache.spark.deploy.master.Master", "--port", "7077")
            stack.enter_context(self._process("master", begin))
            self.wait_log("master", "I have been elected leader")
            for name in ("one", "two"):
                argv = ("org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "512m", self.url)
                stack.enter_context(self._process(name, argv))
            for name in ("one", "two"):
                self.wait_log(name, "Successfully registered with master")
            yield

    @contextmanager
    def _process(self, name: str, argv: tuple[str, ...]) -> Iterator[None]:
        host = self.network[name]
        environment = self.environment | {
            "SPARK_HOME": str(SPARK_HOME),
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_LOCAL_IP": host.address,
            "SPARK_WORKER_DIR": str(self.folder / name),
        }
        command = host.command(str(SPARK_HOME / "bin" / "spark-class"), *argv, "--host", host.address)
        with self.log(name).open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def wait_log(self, name: str, words: str) -> None:
        deadline = time.monotonic() + 60
        while words not in (text := self.log(name).read_text(encoding="utf-8")):
            assert time.monotonic() < deadline, text
            time.sleep(0.2)

    def hosts_with_executors(self) -> set[str]:
        """The workers' hosts on which the master started executors."""
        text = self.log("master").read_text(encoding="utf-8")
        return {
            name
            for name, host in self.network.items()
            if re.search(rf"Launching executor \S+ on worker worker-\d+-{re.escape(host.address)}-", text)
        }

    def start(self, home: Path, **more: str) -> "subprocess.Popen[str]":
        """The program, on a host that is neither the master's nor a worker's."""
        environment = self.environment | {
            "SOUK_HOME": str(home),
            "SOUK_JOBS_ENGINE": "spark",
            "SPARK_MASTER": self.url,
            "SPARK_EXECUTOR_MEMORY": "512m",
            **more,
        }
        command = self.network["driver"].command(sys.executable, "-m", "transforms.spark.run", "--json")
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ExitStack() as stack:
        try:
            network = stack.enter_context(hosts(["driver", "master", "one", "two"]))
        except NamespacesRefused as refused:
            pytest.skip(f"this machine refuses network namespaces: {refused}")
        started = Cluster(network, tmp_path_factory.mktemp("cluster"))
        stack.enter_context(started.running())
        yield started


def test_two_workers_on_other_hosts_make_the_tables_that_duckdb_makes(cluster: Cluster, tmp_path: Path) -> None:
    shop = random_shop(5)
    for home in ("duckdb", "spark"):
        write_lake(tmp_path / home / "lake", shop.rows, lsn=77, as_of=START + timedelta(days=70))
    of_duckdb, of_spark = (TransformSettings(home=tmp_path / home) for home in ("duckdb", "spark"))
    plain = run(of_duckdb, open_engine=DuckdbEngine.open)

    process = cluster.start(of_spark.home)
    answer, errors = process.communicate(timeout=300)

    assert process.returncode == 0, errors
    result = json.loads(answer)
    assert (result["engine"], result["rows"], result["lsn"]) == ("spark", plain.rows, 77)
    for name, key in (("co_purchase", ("product_a", "product_b")), ("interaction_sequences", ("user_id",))):
        order = [(column, "ascending") for column in key]
        ours, theirs = (read_derived(settings.lake_uri, name).sort_by(order) for settings in (of_duckdb, of_spark))
        assert ours.num_rows == plain.rows[name] > 0
        assert ours.equals(theirs)
    assert cluster.hosts_with_executors() == {"one", "two"}
    assert "because it is EXITED" not in cluster.log("master").read_text(encoding="utf-8")


def test_a_driver_on_loopback_is_not_reached_by_the_workers(cluster: Cluster, tmp_path: Path) -> None:
    """The control: with SPARK_LOCAL_IP=127.0.0.1 for every master, as it once was, no cluster works."""
    shop = random_shop(5)
    write_lake(tmp_path / "lake", shop.rows, lsn=77, as_of=START + timedelta(days=70))

    process = cluster.start(tmp_path, SPARK_LOCAL_IP="127.0.0.1")
    try:
        cluster.wait_log("master", "because it is EXITED")
    finally:
        process.kill()
        process.communicate(timeout=30)

    assert not (tmp_path / "lake" / "derived" / "co_purchase" / "_delta_log").exists()

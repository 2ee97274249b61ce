"""One Spark session, on this machine by default and on a cluster by SPARK_MASTER.

A cluster needs a Java on every machine and the state directory at the same path on each; the driver must be reachable
from its workers. Where it has several addresses, SPARK_LOCAL_IP names the one that they reach.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from transforms.errors import SparkFailed
from transforms.java import JavaMissingError, find_java
from transforms.settings import TransformSettings


@contextmanager
def spark_session(settings: TransformSettings) -> Iterator[SparkSession]:
    """A session in UTC without web UI. Raises SparkFailed without a Java.

    The session stops on exit; the JVM ends with the process.
    """
    try:
        java = find_java(os.environ, settings.home / "java")
    except JavaMissingError as error:
        raise SparkFailed(str(error)) from error
    # pyspark's launcher reads these from the environment only. Without PYSPARK_PYTHON workers start the first `python3`
    # on PATH.
    os.environ.update(JAVA_HOME=str(java.home), PYSPARK_PYTHON=sys.executable)
    local = settings.spark_master.startswith("local")
    if local:
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = (
        SparkSession.builder.master(settings.spark_master)
        .appName("souk")
        .config("spark.driver.memory", settings.spark_driver_memory)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC -XX:+UseSerialGC")
        .config("spark.executor.extraJavaOptions", "-Duser.timezone=UTC")
        .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        .config("spark.log.level", "ERROR")
    )
    if local:
        # A cluster has its own addresses and parallelism; on one machine 200 shuffle tasks would be only overhead.
        builder = (
            builder.config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "8")
            .config("spark.default.parallelism", "4")
            .config("spark.local.dir", _scratch(settings))
        )
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()


def _scratch(settings: TransformSettings) -> str:
    folder = settings.home / "spark"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)

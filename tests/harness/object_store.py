"""An S3 server on this machine, and the environment in which every client of the process finds it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

BUCKET = "souk"
# A process of its own: Arrow's client may hold Python's lock while it waits for the answer.
_SERVER = """
import logging, time
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
time.sleep(3600)
"""


@contextmanager
def running_object_store() -> Iterator[dict[str, str]]:
    """An empty bucket; yields the variables that name it to Arrow, delta-rs and polars. They are set until the end."""
    with subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            host, port = server.stdout.readline().split()
            url = f"http://{host}:{port}"
            httpx.put(f"{url}/{BUCKET}", timeout=60).raise_for_status()
            environment = {
                "AWS_ENDPOINT_URL": url,
                "AWS_ALLOW_HTTP": "true",
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            }
            with pytest.MonkeyPatch.context() as patch:
                for name, value in environment.items():
                    patch.setenv(name, value)
                yield environment
        finally:
            server.kill()

"""One small platform for all end-to-end tests of a run: to start it costs more than the tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.platform import Platform


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Everything `souk demo` starts and makes, stopped after the last test of this folder: its thirteen processes would
    slow down the tests that follow. Tests leave it healthy.

    SOUK_TEST_HOME names a state directory that a demo made already: minutes less while a test is written. It is left
    running.
    """
    made = os.environ.get("SOUK_TEST_HOME")
    if made:
        existing = Platform(Path(made))
        existing.up()
        yield existing
        return
    running = Platform(tmp_path_factory.mktemp("souk") / "home")
    try:
        running.demo()
        yield running
    finally:
        running.down()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that asks for the platform waits for the whole demo, and its thirteen processes take both cores
    meanwhile: part of the long run."""
    for item in items:
        if "platform" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(2400))
            item.add_marker(pytest.mark.slow)

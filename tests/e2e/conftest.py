"""One tiny platform for all end-to-end tests of a run: bringing it up costs more than the tests."""

from collections.abc import Iterator

import pytest

from tests.harness.platform import Platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Everything `souk demo` starts and makes, stopped at the end. Tests leave it healthy."""
    running = Platform(tmp_path_factory.mktemp("souk") / "home")
    try:
        running.demo()
        yield running
    finally:
        running.down()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that asks for the platform waits for the whole demo."""
    for item in items:
        if "platform" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(1200))

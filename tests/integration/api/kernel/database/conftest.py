"""The tests of this folder run on the API's event loop and on the worker's, which watch sockets differently.

`make test` runs those that depend on it on both loops, the others on the API's; `make test-all` runs all on both.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

HERE = Path(__file__).parent


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is slow
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        here = item.path.is_relative_to(HERE) and "[asyncio" in item.name
        if here and item.get_closest_marker("sockets") is None:
            item.add_marker(pytest.mark.slow)

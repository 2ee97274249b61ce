"""A process that answers shoppers reads suggestions, it never builds them: whatever the worker commits in between, no
request takes long. Negative control: a reader that read all titles after each commit."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from api.search.suggestions.entries import said
from api.search.suggestions.reader import Suggestions
from tests.harness.suggesting import Suggested, product

PRODUCTS = 10_000
COMMITS = 5
MOST_SECONDS = 0.05
LOADED = "import sys, {}; print('api.search.suggestions.writer' in sys.modules)"


@pytest.mark.parametrize(("program", "writes"), [("api.app", "False"), ("api.search.jobs", "True")])
def test_only_the_worker_has_loaded_the_writer(program: str, writes: str) -> None:
    printed = subprocess.run([sys.executable, "-c", LOADED.format(program)], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == writes


@pytest.mark.slow
def test_no_request_is_long_because_of_a_commit(tmp_path: Path) -> None:
    products = [
        product(number, f"Kind {number % 97} thing {number} of class {number % 31}") for number in range(PRODUCTS)
    ]
    products = [replace(one, title=_in_letters(one.title)) for one in products]
    suggested = Suggested(tmp_path, products)
    reader = Suggestions(tmp_path, suggested.languages.known)

    def read() -> None:
        nonlocal reader
        reader = reader.newest()
        assert reader.complete("thing", 10)

    def build() -> None:
        for one in products:
            said(one, 1.0, suggested.languages)
        read()

    def longest(request: Callable[[], None]) -> float:
        seconds: list[float] = []
        for number in range(COMMITS):
            before = reader
            suggested.change(replace(products[number], title=f"New thing {'abcdefg'[len(seconds)]} {request.__name__}"))
            began = time.process_time()
            request()
            seconds.append(time.process_time() - began)
            assert reader is not before
        return max(seconds)

    assert longest(read) < MOST_SECONDS < longest(build)


def _in_letters(title: str) -> str:
    return title.translate({ord(digit): letter for digit, letter in zip("0123456789", "abcdefghij", strict=True)})

"""Failpoints: armed by name, fire once, and a typo is an error."""

import time
from collections.abc import Iterator

import pytest

from api.kernel import failpoints

KNOWN = {"here", "there"}


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    for name in KNOWN:
        try:
            failpoints.hit(name)
        except failpoints.FailpointError:
            continue


def test_a_point_that_is_not_armed_does_nothing() -> None:
    failpoints.arm("", KNOWN)
    failpoints.hit("here")


def test_an_armed_point_fires_once() -> None:
    failpoints.arm("here=error", KNOWN)

    failpoints.hit("there")
    with pytest.raises(failpoints.FailpointError, match="here"):
        failpoints.hit("here")
    failpoints.hit("here")


def test_several_points_are_armed_at_once() -> None:
    failpoints.arm("here=error, there=sleep:0.05", KNOWN)

    began = time.monotonic()
    failpoints.hit("there")
    assert time.monotonic() - began >= 0.05
    with pytest.raises(failpoints.FailpointError):
        failpoints.hit("here")


@pytest.mark.parametrize("spec", ["nowhere=kill", "here=explode", "here", "=kill", "here=error,nowhere=error"])
def test_an_unknown_point_or_action_is_refused_and_the_known_ones_are_named(spec: str) -> None:
    with pytest.raises(failpoints.UnknownFailpoint, match="here, there"):
        failpoints.arm(spec, KNOWN)

"""Failpoints: armed by name, act once at their count, and a typo is an error where the point's prefix is known."""

import time
from collections.abc import Iterator
from types import ModuleType

import pytest

from api import nouns
from api.kernel import failpoints as shop
from warehouse import failpoints as lake

KNOWN = {"checkout.here", "outbox.there"}
COPIES = pytest.mark.parametrize("failpoints", [shop, lake], ids=["api", "warehouse"])


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    for failpoints in (shop, lake):
        failpoints.arm("", KNOWN)


@COPIES
def test_a_point_that_is_not_armed_does_nothing(failpoints: ModuleType) -> None:
    failpoints.arm("", KNOWN)
    failpoints.hit("checkout.here")


@COPIES
def test_an_armed_point_fires_once(failpoints: ModuleType) -> None:
    failpoints.arm("checkout.here=error", KNOWN)

    failpoints.hit("outbox.there")
    with pytest.raises(failpoints.FailpointError, match=r"checkout\.here"):
        failpoints.hit("checkout.here")
    failpoints.hit("checkout.here")


@COPIES
def test_a_point_with_a_count_fires_at_that_passage(failpoints: ModuleType) -> None:
    failpoints.arm("checkout.here@3=error", KNOWN)

    failpoints.hit("checkout.here")
    failpoints.hit("checkout.here")
    with pytest.raises(failpoints.FailpointError):
        failpoints.hit("checkout.here")
    failpoints.hit("checkout.here")


@COPIES
def test_several_points_are_armed_at_once(failpoints: ModuleType) -> None:
    failpoints.arm("checkout.here=error, outbox.there=sleep:0.05", KNOWN)

    began = time.monotonic()
    failpoints.hit("outbox.there")
    assert time.monotonic() - began >= 0.05
    with pytest.raises(failpoints.FailpointError):
        failpoints.hit("checkout.here")


@COPIES
def test_arming_replaces_what_was_armed(failpoints: ModuleType) -> None:
    failpoints.arm("checkout.here=error", KNOWN)
    failpoints.arm("outbox.there=error", KNOWN)

    failpoints.hit("checkout.here")
    with pytest.raises(failpoints.FailpointError):
        failpoints.hit("outbox.there")


@COPIES
@pytest.mark.parametrize(
    "spec",
    [
        "checkout.nowhere=kill",  # the prefix is this process's own
        "chekout.here=kill",  # no process has the prefix
        "here=kill",
        "checkout.here=error,outbox.nowhere=error",
    ],
)
def test_an_unknown_point_is_refused_and_the_known_ones_are_named(failpoints: ModuleType, spec: str) -> None:
    failpoints.arm("outbox.there=error", KNOWN)
    with pytest.raises(failpoints.UnknownFailpoint, match=r"points are checkout\.here, outbox\.there"):
        failpoints.arm(spec, KNOWN)

    failpoints.hit("checkout.here")
    with pytest.raises(failpoints.FailpointError):
        failpoints.hit("outbox.there")


@COPIES
@pytest.mark.parametrize(
    "entry",
    ["=explode", "", "@0=kill", "@two=kill", "@=kill", "=sleep:", "=sleep:soon", "=kill=error", "@2@3=kill"],
)
def test_an_entry_of_another_form_is_refused(failpoints: ModuleType, entry: str) -> None:
    with pytest.raises(failpoints.UnknownFailpoint, match="the action kill, error or sleep:SECONDS"):
        failpoints.arm(f"checkout.here{entry}", KNOWN)


@COPIES
def test_an_entry_without_a_name_is_refused(failpoints: ModuleType) -> None:
    with pytest.raises(failpoints.UnknownFailpoint):
        failpoints.arm("=kill", KNOWN)


def test_each_process_skips_the_others_points_and_refuses_a_typo_in_its_own() -> None:
    mine = "checkout.before_create=sleep:0,cdc.fold_mid=sleep:0,outbox.after_publish=sleep:0"
    shop.arm(mine, nouns.failpoints())
    lake.arm(mine, lake.POINTS)

    for typo in ("checkout.before_creat=kill", "outbox.publish=kill"):
        lake.arm(typo, lake.POINTS)
        with pytest.raises(shop.UnknownFailpoint):
            shop.arm(typo, nouns.failpoints())
    shop.arm("cdc.fold_midd=kill", nouns.failpoints())
    with pytest.raises(lake.UnknownFailpoint):
        lake.arm("cdc.fold_midd=kill", lake.POINTS)

"""R-P2 for changes of a placed order: charged once and made, or nothing is charged and the order is as it was.

kill -9 of the API and of the worker at every failpoint of an edit. Afterwards no edit is open, every buyer who asks
again gets one final answer, every invariant holds, and the gateway's own ledger says the same as our payments.
`tests/integration/api/checkout/test_edit_crash.py` cuts edits at the same points within a process.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from api.checkout.edits.failpoints import POINTS
from tests.harness.crash import LEASE_SECONDS, World
from tests.harness.editing import Editing
from tests.harness.processes import KILLED
from tests.harness.sessions import guest_session
from tests.harness.workload import Purchase, send_all

# As of the crash proof of checkouts: not judged by the clock of a busy machine.
pytestmark = pytest.mark.timeout(900)
# Passed by the API alone, while nobody else could go on with the edit.
OPENING_POINTS = ("checkout.edit_before_begin", "checkout.edit_after_begin")
DRIVING_POINTS = (
    "checkout.edit_before_authorise",
    "checkout.edit_after_authorise",
    "checkout.edit_after_confirm",
    "checkout.edit_before_capture",
    "checkout.edit_after_capture",
    "checkout.edit_after_complete",
)
COMPENSATION_POINTS = ("checkout.edit_before_compensate", "checkout.edit_after_void")
# Where money has moved and the shop does not know it yet; the others go with the long run.
FEW = ("checkout.edit_after_authorise", "checkout.edit_after_capture")


@dataclass(frozen=True)
class Staged:
    """An order of two units at 5.00 and a staged edit that adds one at 6.00, with the request that commits it."""

    world: World
    edits: Editing
    order: str
    commit: Purchase

    @classmethod
    def new(cls, world: World, name: str, token: str = "pm_sandbox_ok") -> "Staged":
        session = guest_session(name)
        edits = Editing(world.market, {"X-Session-Id": session})
        body = world.market.order_body((world.products[0], 2), email="guest@example.com")
        placed = world.market.buy(edits.headers, body)
        assert placed.status_code == 201, placed.text
        order = placed.json()["orderId"]
        edit = edits.staged(order, add=[edits.line(world.products[1], 1)])
        method = {"type": "credit_card", "token": token}
        asked = {"expectedTotal": edit["newTotal"], "paymentMethod": method}
        return cls(world, edits, order, Purchase(f"edit-{name}", asked, session, path=f"{edits.path(edit)}/commit"))

    def charges(self) -> list[Decimal]:
        """What was captured for the order, the first payment first."""
        rows = self.world.market.sql.execute(
            "select captured_amount from payments where order_id = %s and captured_amount > 0 order by created_at",
            (self.order,),
        ).fetchall()
        return [amount for (amount,) in rows]

    def units(self) -> list[int]:
        return [line["quantity"] for line in self.edits.order(self.order)["items"]]

    def made(self) -> bool:
        """Whether it is made, and charged for; otherwise neither."""
        state = (self.charges(), self.units())
        # 10.00 with 0.80 tax and 4.99 shipping; 6.00 with 0.48 more.
        assert state in (([Decimal("15.79"), Decimal("6.48")], [2, 1]), ([Decimal("15.79")], [2])), state
        return len(state[1]) == 2


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(FEW, id="few"),
        pytest.param((*OPENING_POINTS, *DRIVING_POINTS), id="all", marks=pytest.mark.slow),
    ],
)
def test_the_api_is_killed_at_every_point_of_an_edit(world: World, points: Sequence[str]) -> None:
    staged = [Staged.new(world, f"api-{len(points)}-{point}") for point in points]
    doomed = [world.fleet.api(SOUK_FAILPOINTS=f"{point}=kill") for point in points]
    answers = send_all([(one.commit, child.url) for one, child in zip(staged, doomed, strict=True)])

    assert answers == [None] * len(points)
    assert [child.wait(60) for child in doomed] == [KILLED] * len(points)
    # A worker that comes before looks for edits again only five seconds later.
    time.sleep(LEASE_SECONDS)
    finals = world.finals([one.commit for one in staged], answers)
    assert [final.status_code for final in finals] == [200] * len(points)
    assert all(one.made() for one in staged)
    world.sound()


@pytest.mark.slow
def test_the_worker_is_killed_at_every_point_of_an_edit(world: World) -> None:
    """An API that dies leaves edits to workers of which each dies at another point."""
    abandoned = [Staged.new(world, f"left-{n}", "pm_sandbox_timeout") for n in range(len(DRIVING_POINTS) + 1)]
    # The gateway keeps all of them waiting until the last has begun.
    child = world.fleet.api(SOUK_FAILPOINTS=f"checkout.edit_after_begin@{len(abandoned)}=kill")
    answers = send_all([(one.commit, child.url) for one in abandoned])
    assert (answers, child.wait(60)) == ([None] * len(abandoned), KILLED)
    for point in DRIVING_POINTS:
        assert world.fleet.worker(SOUK_FAILPOINTS=f"{point}=kill").wait(90) == KILLED, point

    finals = world.finals([one.commit for one in abandoned], answers)
    assert [final.status_code for final in finals] == [200] * len(abandoned)
    assert all(one.made() for one in abandoned)
    world.sound()


@pytest.mark.slow
def test_the_worker_is_killed_while_it_gives_an_edit_up(world: World) -> None:
    """The gateway does not answer: nothing is charged or changed, and the buyer changes the order later."""
    undone = [Staged.new(world, f"undone-{n}") for n in range(len(COMPENSATION_POINTS))]
    # An API of its own: its breaker may open, which the others' must not.
    lonely = world.fleet.api()
    world.sandbox.faults(unavailable=True)
    refused = send_all([(one.commit, lonely.url) for one in undone])
    world.sandbox.faults()
    lonely.kill9()
    assert [answer.status_code if answer else None for answer in refused] == [503] * len(undone)
    for point in COMPENSATION_POINTS:
        assert world.fleet.worker(SOUK_FAILPOINTS=f"{point}=kill").wait(90) == KILLED, point

    finals = world.finals([one.commit for one in undone], refused)
    assert {(final.status_code, final.json()["type"]) for final in finals} == {(409, "/problems/order-edit-over")}
    assert not any(one.made() for one in undone)
    for one in undone:
        one.edits.committed(one.edits.staged(one.order, add=[one.edits.line(world.products[1], 1)]))
        assert one.made()
    world.sound()


def test_every_failpoint_of_edits_is_exercised() -> None:
    assert {*OPENING_POINTS, *DRIVING_POINTS, *COMPENSATION_POINTS} == POINTS


@pytest.mark.slow
def test_mutant_a_key_per_attempt_charges_twice(world: World) -> None:
    one = Staged.new(world, "mutant")
    doomed = world.fleet.api(mutant="a key per attempt", SOUK_FAILPOINTS="checkout.edit_after_capture=kill")
    assert one.commit.send(doomed.url) is None
    worker = world.fleet.worker(mutant="a key per attempt")
    world.market.wait_until_settled()
    worker.kill9()
    assert {"R-I6-twice", "R-I6-payments"} <= {found.check for found in world.violations()}

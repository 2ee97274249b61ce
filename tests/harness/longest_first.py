"""A scheduler for pytest-xdist with the units and the order of harness/schedule.py."""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.harness.record import recorded_seconds
from tests.harness.schedule import HEAVY, file_of, longest_first, unit_of


class LongestFirst(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """xdist's scheduler by scope, with the units and the order of harness/schedule.py."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(file_of(nodeid))

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a worker the next unit: the longest one that may run at the same time as the others' units."""
        units = {unit: {file_of(nodeid) for nodeid in work} for unit, work in self.workqueue.items()}
        order = longest_first(units, recorded_seconds())
        busy = any(
            unit in HEAVY and not all(work.values())
            for other, assigned in self.assigned_work.items()
            if other is not node
            for unit, work in assigned.items()
        )
        chosen = next((unit for unit in order if not (busy and unit in HEAVY)), order[0])
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)

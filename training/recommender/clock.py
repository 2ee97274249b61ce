"""CPU seconds of one fit, phase by phase."""

import time

from warehouse.logs import get_logger

log = get_logger(__name__)


class Clock:
    """CPU seconds of this process per phase."""

    def __init__(self) -> None:
        self.start = self.last = time.process_time()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """End a phase."""
        now = time.process_time()
        self.laps[name] = round(now - self.last, 3)
        log.info("phase done", phase=name, cpu_seconds=round(now - self.last, 1))
        self.last = now

    def cpu(self) -> float:
        """CPU seconds since the beginning."""
        return time.process_time() - self.start

"""The process that keeps Redis at the newest feature set, and its status file. `python -m features.follow`"""

import sys
import time
from datetime import UTC, datetime

from features.errors import FeatureError
from features.materialise import MaterialiseResult, materialise
from features.published import published
from features.settings import FeatureSettings
from warehouse.command import program
from warehouse.logs import get_logger
from warehouse.running import StatusFile
from warehouse.stop import Stop, stop_on_signals

log = get_logger(__name__)
_LOOK_SECONDS = 1.0
# A set that was written is compared with Redis' stamp so often: a flushed Redis is noticed.
_CONFIRM_SECONDS = 15.0
# Writing a set takes at most a tenth of the time.
_REST = 9.0
_RETRY_SECONDS = (1.0, 5.0, 30.0)


class OnlineFollower:
    """Writes a set when there is a new one; `step` is one look."""

    def __init__(self, settings: FeatureSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._set, self._confirmed = "", 0.0
        self.report: dict[str, object] = {"state": "waiting for a build", "lsn": None, "asOf": None, "error": None}
        self.status = StatusFile(settings.online_status_path, lambda: self.report)

    def step(self) -> float:
        """Look once and write when there is something new; returns the seconds to wait before the next look."""
        import redis

        began = time.monotonic()
        try:
            name = published(self._settings).name
            if name == self._set and began - self._confirmed < _CONFIRM_SECONDS:
                return _LOOK_SECONDS
            done = materialise(self._settings)
        except FeatureError as reason:
            self.report |= {"state": "waiting for a build", "error": str(reason)}
            return _LOOK_SECONDS
        except (redis.RedisError, OSError) as error:
            return self._fails(error)
        self._set, self._confirmed, self._failures = name, began, 0
        self._wrote(done)
        return max(_LOOK_SECONDS, _REST * (time.monotonic() - began))

    def _wrote(self, done: MaterialiseResult) -> None:
        written, removed = sum(done.written.values()), sum(done.removed.values())
        self.report |= {"state": "following", "lsn": done.lsn_text, "asOf": done.as_of, "error": None}
        if written or removed:
            last = {"at": datetime.now(UTC).isoformat(), "written": written, "removed": removed, "full": done.full}
            self.report |= {"last": last | {"seconds": round(sum(done.seconds.values()), 3)}}
        self.status.write()

    def _fails(self, error: Exception) -> float:
        """Redis that is gone is asked again, each time later."""
        wait = _RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)]
        self._failures += 1
        self._set = ""
        self.report |= {"state": "failed", "error": str(error)}
        log.warning("online features stay as they are", seconds=wait, error=str(error))
        self.status.write()
        return wait


def follow(settings: FeatureSettings, stop: Stop) -> int:
    """Write each new set until `stop`."""
    follower = OnlineFollower(settings)
    with follower.status.beating():
        while not stop.asked:
            stop.wait(follower.step())
    return 0


@program("python -m features.follow")
def main() -> int:
    """Write the rows that changed to Redis whenever there is a new feature set, until SIGTERM."""
    return follow(FeatureSettings(), stop_on_signals())


if __name__ == "__main__":
    sys.exit(main())

"""The process: one lock, sessions one after another until it is told to stop, and a status file kept up to date."""

import duckdb
import psycopg
from deltalake.exceptions import DeltaError

from warehouse.cdc.backoff import Backoff, RetryDue
from warehouse.cdc.lag import Lag
from warehouse.cdc.mend import requested
from warehouse.cdc.pgoutput import ProtocolError
from warehouse.cdc.poison import Suspects, TableFailed
from warehouse.cdc.session import Session, SourceChanged
from warehouse.cdc.slot import SourceError
from warehouse.cdc.status import StatusFile
from warehouse.contract import ContractError
from warehouse.lake.watermark import LakeStateError
from warehouse.logs import get_logger
from warehouse.running import only_consumer
from warehouse.settings import WarehouseSettings
from warehouse.stop import Stop

log = get_logger(__name__)
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def serve(settings: WarehouseSettings, stop: Stop) -> int:
    """Run until `stop`.

    Returns 0 after a clean stop, 3 when a person must act (the status file says why).
    """
    lsn = attempt = 0
    status = StatusFile(settings.status_path)
    backoff, suspects, lag = Backoff(settings.cdc_heal_seconds), Suspects(), Lag()
    with only_consumer(settings.home / "run" / "cdc.lock", "write a lake"), status.beating():
        while not stop.asked:
            for name in requested(settings.mend_path):
                suspects.try_again(name)
            session = Session(settings, stop, status, backoff=backoff, lag=lag, left_out=suspects.left_out)
            try:
                session.run()
            except (SourceChanged, RetryDue) as change:
                log.info("starting anew", reason=str(change))
                if isinstance(change, RetryDue):
                    suspects.try_again()
                attempt = 0
            except TableFailed as failure:
                left_out = suspects.failed(failure, streamed_seconds=session.streamed_seconds)
                log.exception("table failed", table=failure.table, left_out=left_out)
                session.report("waiting", error=str(failure))
                stop.wait(_RETRY_SECONDS[0])
            except (SourceError, ContractError, LakeStateError, ProtocolError) as error:
                log.exception("replication cannot go on")
                session.report("failed", error=str(error))
                return 3
            except (psycopg.Error, OSError, DeltaError, duckdb.Error) as error:
                attempt = 0 if session.streamed else min(attempt + 1, len(_RETRY_SECONDS) - 1)
                log.warning("interrupted, trying again", seconds=_RETRY_SECONDS[attempt], error=str(error).strip())
                session.report("waiting", error=str(error).strip())
                stop.wait(_RETRY_SECONDS[attempt])
            lsn = session.lsn
    status.report(state="stopped", lsn=lsn, stopped={})
    return 0

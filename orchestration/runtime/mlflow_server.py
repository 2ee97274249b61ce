"""`python -m orchestration.runtime.mlflow_server`: the application that `mlflow server` starts.

Started here it needs half the memory and imports, because `mlflow server` itself would keep running.
"""

import sys

import uvicorn

from orchestration.runtime.machine import load_machine
from orchestration.settings import load_settings
from warehouse.quiet_server import serve


def main() -> int:
    """Serve on the machine's port until SIGTERM; `orchestration.runtime.services` says what its environment holds."""
    machine = load_machine(load_settings())
    if machine is None:
        sys.stderr.write("no state directory yet: run `souk up`\n")
        return 1
    port = machine.config.ports["mlflow"]
    serve(uvicorn.Config("mlflow.server.fastapi_app:app", host="127.0.0.1", port=port, access_log=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())

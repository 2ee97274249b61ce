"""`python -m orchestration.graph.pages`: Dagster's pages, on a server that sleeps while nobody looks."""

import importlib

from dagster_webserver.cli import main as serve_pages

from orchestration.graph.daemon import watch_calmly
from warehouse.quiet_server import QuietServer


def main() -> None:
    """The options are those of `dagster-webserver`."""
    watch_calmly()
    # Dagster calls uvicorn.run, which makes its server of this name. The module is hidden by a function of its name.
    vars(importlib.import_module("uvicorn.main"))["Server"] = QuietServer
    serve_pages()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()

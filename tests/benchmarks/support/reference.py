"""`python -m tests.benchmarks.support.reference`: a FastAPI app that answers with ready bytes, on the shop's server.

The bytes are the files in the folder BENCH_PAGES, each at the path of its name: what an answer of that size costs when
nothing has to be found or made.
"""

import os
from pathlib import Path

from fastapi import FastAPI, Response

from api.__main__ import serve
from api.kernel.settings import load_settings


def create_app() -> FastAPI:
    """The application, in every worker."""
    app = FastAPI()

    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    for file in Path(os.environ["BENCH_PAGES"]).iterdir():
        _add(app, file.name, file.read_bytes())
    return app


def _add(app: FastAPI, name: str, page: bytes) -> None:
    @app.get(f"/{name}")
    async def ready_page() -> Response:
        return Response(page, media_type="application/json")


if __name__ == "__main__":
    serve(load_settings(), "tests.benchmarks.support.reference:create_app")

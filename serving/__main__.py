"""`python -m serving`: the recommender on SOUK_SERVING_URL."""

import logging

import structlog
import uvicorn

from serving.app import create_app
from serving.settings import ServingSettings


def main() -> None:
    """Run until SIGTERM; requests in flight end first."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    settings = ServingSettings()
    host, port = settings.bind
    uvicorn.run(create_app(settings), host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=10)


if __name__ == "__main__":
    main()

"""`python -m serving`: the recommender on SOUK_SERVING_URL."""

import uvicorn

from serving.app import create_app
from serving.settings import ServingSettings
from warehouse.environment import exit_on_invalid_settings
from warehouse.logs import configure
from warehouse.quiet_server import serve


def main() -> None:
    """Run until SIGTERM; requests in flight end first."""
    configure("info")
    with exit_on_invalid_settings():
        settings = ServingSettings()
    host, port = settings.bind
    config = uvicorn.Config(
        create_app(settings), host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=10
    )
    serve(config)


if __name__ == "__main__":
    main()

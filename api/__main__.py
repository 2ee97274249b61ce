"""`python -m api`: uvicorn on SOUK_API_URL with one worker per core."""

from urllib.parse import urlsplit

import uvicorn

from api.kernel.environment import exit_on_invalid_settings
from api.kernel.failpoints import UnknownFailpoint
from api.kernel.security import Keys
from api.kernel.settings import Settings, load_settings


def main() -> None:
    """Serve until SIGTERM. Wrong settings end the process with status 1 and a sentence."""
    with exit_on_invalid_settings(UnknownFailpoint):
        settings = load_settings()
        Keys.load(settings)  # each worker loads them too, but uvicorn replaces a worker that fails without end
        serve(settings)


def serve(settings: Settings, application: str = "api.app:create_app") -> None:
    """Serve the application that the named factory makes; each worker calls it."""
    address = urlsplit(settings.api_url)
    uvicorn.run(
        application,
        factory=True,
        host=address.hostname or "127.0.0.1",
        port=address.port or 80,
        workers=settings.api_workers,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()

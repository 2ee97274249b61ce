"""`python -m api`: uvicorn on SOUK_API_URL with one worker per core."""

from urllib.parse import urlsplit

import uvicorn

from api.kernel.settings import load_settings


def main() -> None:
    settings = load_settings()
    address = urlsplit(settings.api_url)
    uvicorn.run(
        "api.app:create_app",
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

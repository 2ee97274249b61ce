"""`python -m api.sandbox`: serve the gateway on the host and port of SOUK_SANDBOX_URL until SIGTERM."""

from urllib.parse import urlsplit

import uvicorn

from api.kernel.environment import exit_on_invalid_settings
from api.kernel.quiet_server import serve
from api.sandbox.app import create_sandbox
from api.sandbox.settings import SandboxSettings


def main() -> None:
    with exit_on_invalid_settings():
        settings = SandboxSettings()
    address = urlsplit(settings.sandbox_url)
    # Requests that wait for a stalled answer must not keep the process alive after SIGTERM.
    config = uvicorn.Config(
        create_sandbox(settings),
        host=address.hostname or "127.0.0.1",
        port=address.port or 8010,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    serve(config)


if __name__ == "__main__":
    main()

"""`python -m api`: the shop on SOUK_API_URL with one worker per core."""

from api.kernel.environment import exit_on_invalid_settings
from api.kernel.failpoints import UnknownFailpoint
from api.kernel.security import Keys
from api.kernel.server import AddressInUse, run_workers
from api.kernel.settings import Settings, load_settings


def main() -> None:
    """Serve until SIGTERM. Wrong settings and a taken address end the process with status 1 and a sentence."""
    with exit_on_invalid_settings(UnknownFailpoint, AddressInUse):
        settings = load_settings()
        Keys.load(settings)  # each worker loads them too, but a worker that fails then is replaced without end
        serve(settings)


def serve(settings: Settings, application: str = "api.app:create_app") -> None:
    """Serve the application that the named factory makes; each worker calls it."""
    run_workers(application, settings.api_url, settings.api_workers)


if __name__ == "__main__":
    main()

"""`python -m orchestration.graph.code_server`: Dagster's code server, which sleeps while nobody asks it anything."""

# gRPC ends its wait ten times a second, because a signal once could not end it. Today's interpreter ends it by itself.
WAIT_SECONDS = 3600.0


def main() -> None:
    """The options are those of `dagster api grpc`."""
    # Imported here: a run's process imports this module again, and needs none of them.
    from dagster._cli.api import grpc_command
    from grpc import _common  # type: ignore[import-untyped]  # it has no types

    _common.MAXIMUM_WAIT_TIMEOUT = WAIT_SECONDS
    grpc_command()


if __name__ == "__main__":
    main()

"""Processes on one machine: launchers of the embedded servers, the service table, the supervisor, ports, secrets and
checks."""

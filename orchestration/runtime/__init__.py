"""Processes on one machine.

Launchers of the embedded servers, the service table, the supervisor, ports, secrets and checks.
"""

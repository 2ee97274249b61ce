"""Starts every process on one machine, declares every step of the data platform, and provides the `souk` command.

Input: settings from the environment and the state directory. Output: running processes, materialised assets.
May import every data package, never `api` (it starts `python -m api...` as processes). Nothing imports it.
"""

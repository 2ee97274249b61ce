"""The arrows: starts every process on one machine, names every step of the data platform, and is the `souk` command.

Comes in: settings from the environment and the state directory. Goes out: running processes, materialised assets.
May import every data package, never `api` (it starts `python -m api...` as processes). Nothing imports it.
"""

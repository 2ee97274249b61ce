"""dbt's connections read the lake where it lies: a plugin of dbt-duckdb, named in `profiles.yml`."""

from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from warehouse.lake.objects import reach


class Plugin(BasePlugin):
    """dbt-duckdb makes one for each class of this name."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # Any: the values of the profile
        self.lake = str(plugin_config["lake"])

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        reach(conn, self.lake)

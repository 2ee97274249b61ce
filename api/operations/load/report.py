"""The report of the lines that a load left out."""

from pathlib import Path

import polars as pl

from api.kernel.files import replace_file


def write_report(home: Path, kind: str, rows: pl.DataFrame) -> Path:
    """`HOME/reports/KIND-unmatched.csv`, replaced in one step; only after the load has been committed."""
    target = home / "reports" / f"{kind}-unmatched.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, rows.write_csv(datetime_format="%Y-%m-%d %H:%M"))
    return target

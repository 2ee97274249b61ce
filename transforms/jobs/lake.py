"""What the jobs read of the lake at one watermark."""

from transforms.errors import LakeNotReady
from warehouse.lake.read import TableFiles, Watermark, connect, copy_hot, state_sql, table_files


def files_of(lake: str, name: str, watermark: Watermark) -> TableFiles:
    """The files of one table. Raises LakeNotReady when the watermark lacks it."""
    version = watermark.versions.get(name)
    if version is None:
        raise LakeNotReady(f"table {name} is not in the lake's watermark {watermark.lsn_text}")
    return table_files(lake, name, version, watermark.lsn)


def count_lines(lake: str, watermark: Watermark) -> int:
    """The order lines at the watermark, those of cancelled orders included."""
    with connect(lake) as con:
        files = copy_hot(con, files_of(lake, "order_items", watermark), "hot", "order_items")
        row = con.execute(f"SELECT count(*) FROM ({state_sql(files)})").fetchone()
    return int(row[0]) if row else 0

"""The small retail set of the tests, the path of the real one if present, and ways to damage a copy."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.harness.api import ROOT

SMALL = ROOT / "tests" / "data" / "retail"
REAL = ROOT.parent / "shared" / "data" / "recsys" / "online_retail"


def _cut(folder: Path) -> None:
    packed = gzip.compress((folder / "order_lines.csv").read_bytes())
    (folder / "order_lines.csv").unlink()
    (folder / "order_lines.csv.gz").write_bytes(packed[: len(packed) // 2])


def _not_gzip(folder: Path) -> None:
    (folder / "order_lines.csv").rename(folder / "order_lines.csv.gz")


def _edit(old: str, new: str, name: str = "order_lines.csv") -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def _write(content: bytes, name: str = "order_lines.csv") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


# How the set is damaged, and the error that the loader must print.
BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut gzip": (_cut, "order_lines.csv.gz: the gzip file ends too early"),
    "not gzip": (_not_gzip, "order_lines.csv.gz: this is not a readable gzip file"),
    "empty": (_write(b""), "order_lines.csv: the file is empty"),
    "header only": (
        _write(b"order_id,ts,customer_id,country,item_id,quantity,unit_price\n"),
        "order_lines.csv: the file has a header and no rows",
    ),
    "other columns": (
        _edit("unit_price", "price"),
        "order_lines.csv, line 1, column unit_price: column is missing; the header has order_id, ts,",
    ),
    "no items": (_remove("items.tsv"), "order_lines is here but items.tsv.gz (item_id, title) is not"),
    "no lines": (_remove("order_lines.csv"), "or exactly one CSV; found 0 CSV files"),
    "not a number": (
        _edit(",-7,", ",seven,"),
        "order_lines.csv, line 15, column quantity: 'seven' is not a whole number",
    ),
    "fraction": (_edit(",-7,", ",7.5,"), "order_lines.csv, line 15, column quantity: '7.5' is not a whole number"),
    "huge": (
        _edit(",-7,", ",99999999999,"),
        "order_lines.csv, line 15, column quantity: '99999999999' is beyond any real quantity",
    ),
    "not a price": (_edit("2.46", "NaN"), "order_lines.csv, line 8, column unit_price: 'NaN' is not a price"),
    "not a time": (
        _edit("2010-12-04 12:00", "2010-13-04 12:00"),
        "order_lines.csv, line 16, column ts: '2010-13-04 12:00' is not a time like",
    ),
    "missing value": (_edit(",France,3,10", ",France,,10"), "order_lines.csv, line 5, column item_id: is missing"),
    "too many columns": (_edit("2.46\n", "2.46,x\n"), "order_lines.csv, line 8: has 8 columns, the header has 7"),
    "cut line": (
        _edit("16,2010-12-08 09:00,14001,Germany,3,0,1.65\n", "16,2010-12-08 09"),
        "order_lines.csv, line 25: the last line ends in the middle",
    ),
    "unknown item": (
        _edit(",France,3,10", ",France,999,10"),
        "order_lines.csv, line 5, column item_id: is not in items.tsv",
    ),
    "item twice": (_edit("2\tSET", "1\tSET", "items.tsv"), "items.tsv, line 2, column item_id: comes twice"),
    "not text": (_write(b"item_id\ttitle\n1\t\xff\xfe\n", "items.tsv"), "items.tsv, line 2: is not UTF-8 text"),
}


def damaged(tmp_path: Path, name: str) -> Path:
    """A copy of the small set with one error."""
    folder = tmp_path / "set"
    shutil.copytree(SMALL, folder)
    BAD[name][0](folder)
    return folder

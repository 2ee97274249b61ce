"""Data files into one typed frame of lines, or a DataFileError that says where the file is wrong.

Two forms. A folder with `order_lines.csv[.gz]` (order_id, ts, customer_id, country, item_id, quantity, unit_price) and
`items.tsv[.gz]` (item_id, title). Or one CSV with the original UCI columns (InvoiceNo, StockCode, Description,
Quantity, InvoiceDate, UnitPrice, CustomerID, Country), or as the second edition of the set spells them (Invoice, Price,
Customer ID). Times have no zone and are taken as UTC.
"""

import csv
import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from api.operations.load.errors import DataFileError

LINE_COLUMNS = ("order_id", "ts", "customer_id", "country", "item_id", "quantity", "unit_price")
ITEM_COLUMNS = ("item_id", "title")
UCI_COLUMNS = ("order_id", "item_id", "title", "quantity", "ts", "unit_price", "customer_id", "country")
UCI_SPELLINGS = (
    ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"),
    ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"),
)
TIME_FORMATS = (
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%y %H:%M",
    "%d-%m-%Y %H:%M",
)
MAX_QUANTITY = 10_000_000
MAX_PRICE = 10_000_000


@dataclass(frozen=True)
class Files:
    """`lines` is the file with the order lines; `items` the titles, None in the UCI form."""

    lines: Path
    items: Path | None

    def fingerprint(self) -> str:
        """The identity of the set: a hash of the bytes."""
        digest = hashlib.sha256()
        for path in filter(None, (self.lines, self.items)):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


def find_files(path: Path) -> Files:
    """The files at `path`, a folder or a single CSV.

    Raises: DataFileError when there is nothing that could be the set.
    """
    if not path.exists():
        raise DataFileError(path, None, None, "there is no such file or folder")
    if path.is_file():
        return Files(path, None)
    lines = _one_of(path, "order_lines.csv.gz", "order_lines.csv")
    if lines is not None:
        items = _one_of(path, "items.tsv.gz", "items.tsv")
        if items is None:
            raise DataFileError(path, None, None, "order_lines is here but items.tsv.gz (item_id, title) is not")
        return Files(lines, items)
    tables = sorted(entry for entry in path.iterdir() if entry.name.lower().endswith((".csv", ".csv.gz")))
    if len(tables) != 1:
        raise DataFileError(
            path,
            None,
            None,
            f"expected order_lines.csv.gz with items.tsv.gz, or exactly one CSV; found {len(tables)} CSV files",
        )
    return Files(tables[0], None)


def read_lines(files: Files) -> pl.DataFrame:
    """line (its number in the file), order_id, ts, customer_id?, country, item_id, title?,
    quantity, price (text), cents? (if whole).

    One row per line of the file, in its order. Raises: DataFileError.
    """
    if files.items is None:
        raw = _table(files.lines, ",", *UCI_SPELLINGS, fallback="cp1252")
        spelled = dict(zip(UCI_COLUMNS, raw.columns, strict=True))
        return _typed(files.lines, raw.rename({theirs: ours for ours, theirs in spelled.items()}), spelled)
    typed = _typed(files.lines, _table(files.lines, ",", LINE_COLUMNS), {})
    items = _table(files.items, "\t", ITEM_COLUMNS).select("item_id", "title").with_row_index("line", 2)
    _refuse(files.items, items, pl.col("item_id").is_null(), "item_id", "is missing")
    _refuse(files.items, items, pl.col("item_id").is_duplicated(), "item_id", "comes twice")
    joined = typed.join(items.drop("line"), on="item_id", how="left", maintain_order="left")
    checked = joined.with_columns(known=pl.col("item_id").is_in(items["item_id"].implode()))
    _refuse(files.lines, checked, ~pl.col("known"), "item_id", f"is not in {files.items.name}")
    return joined


def _one_of(folder: Path, *names: str) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _text(path: Path, fallback: str | None) -> str:
    """The file's text, unpacked when it is gzip by its first bytes or its name."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz" or raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except EOFError:
        raise DataFileError(
            path, None, None, "the gzip file ends too early; it was cut off, copy or download it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataFileError(path, None, None, f"this is not a readable gzip file ({error})") from None
    except OSError as error:
        raise DataFileError(path, None, None, f"cannot be read: {error.strerror}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if fallback is not None:
            return raw.decode(fallback)
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataFileError(path, line, None, "is not UTF-8 text") from None


def _table(path: Path, separator: str, *spellings: tuple[str, ...], fallback: str | None = None) -> pl.DataFrame:
    """The columns of the first of `spellings` that the header has, all as text, empty as null.
    `fallback`: encoding of what is not UTF-8.

    Raises: DataFileError for an empty file, other columns, or a row of another width.
    """
    text = _text(path, fallback)
    header = next(csv.reader(io.StringIO(text[: text.find("\n") + 1 or None]), delimiter=separator), [])
    if not header:
        raise DataFileError(path, None, None, "the file is empty")
    columns = min(spellings, key=lambda names: len(set(names) - set(header)))
    missing = [name for name in columns if name not in header]
    if missing:
        raise DataFileError(
            path,
            1,
            missing[0],
            f"column is missing; the header has {', '.join(header)}; needed are {', '.join(columns)}",
        )
    _check_width(path, text, separator, len(header), quoted=separator == ",")
    frame = pl.read_csv(
        io.BytesIO(text.encode()),
        separator=separator,
        infer_schema=False,
        quote_char='"' if separator == "," else None,
        truncate_ragged_lines=True,
    )
    if frame.height == 0:
        raise DataFileError(path, None, None, "the file has a header and no rows")
    return frame.select(columns).with_columns(pl.all().str.strip_chars().replace("", None))


def _check_width(path: Path, text: str, separator: str, width: int, *, quoted: bool) -> None:
    """Raises DataFileError at the first line with more or fewer columns than the header."""
    if not text.endswith("\n") and (last := text.rsplit("\n", 1)[-1]) and last.count(separator) < width - 1:
        raise DataFileError(path, text.count("\n") + 1, None, "the last line ends in the middle; the file was cut off")
    lines = pl.Series(text.rstrip("\n").split("\n"))
    counts = lines.str.count_matches(separator, literal=True) + 1
    suspects = (counts != width).arg_true().to_list()
    for index in suspects:
        line = lines[index]
        fields = (
            len(next(csv.reader([line], delimiter=separator), [])) if quoted and '"' in line else int(counts[index])
        )
        if fields != width:
            raise DataFileError(path, index + 1, None, f"has {fields} columns, the header has {width}")


def _typed(path: Path, raw: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """Raises DataFileError at the first value that is missing or not of its
    type; `names` maps our names to the file's."""
    frame = raw.with_row_index("line", 2)
    for column in ("order_id", "ts", "country", "item_id", "quantity", "unit_price"):
        _refuse(path, frame, pl.col(column).is_null(), names.get(column, column), "is missing")
    frame = frame.with_columns(
        whole=pl.col("quantity").cast(pl.Int64, strict=False),
        amount=pl.col("unit_price").cast(pl.Float64, strict=False),
        at=_times(frame["ts"]),
    )
    _refuse(
        path,
        frame,
        pl.col("whole").is_null(),
        names.get("quantity", "quantity"),
        "is not a whole number",
        value="quantity",
    )
    _refuse(
        path,
        frame,
        pl.col("whole").abs() > MAX_QUANTITY,
        names.get("quantity", "quantity"),
        "is beyond any real quantity",
        value="quantity",
    )
    bad_price = pl.col("amount").is_null() | ~pl.col("amount").is_finite() | (pl.col("amount").abs() > MAX_PRICE)
    _refuse(path, frame, bad_price, names.get("unit_price", "unit_price"), "is not a price", value="unit_price")
    _refuse(
        path, frame, pl.col("at").is_null(), names.get("ts", "ts"), "is not a time like 2010-12-01 08:26", value="ts"
    )
    hundredfold = pl.col("amount") * 100
    return frame.select(
        "line",
        "order_id",
        pl.col("at").alias("ts"),
        # Spreadsheets write a customer number as 17850.0.
        pl.col("customer_id").str.strip_suffix(".0"),
        "country",
        "item_id",
        *(["title"] if "title" in frame.columns else []),
        pl.col("whole").alias("quantity"),
        pl.col("unit_price").alias("price"),
        cents=pl.when((hundredfold - hundredfold.round()).abs() < 1e-6).then(hundredfold.round().cast(pl.Int64)),
    )


def _times(texts: pl.Series) -> pl.Series:
    """Parsed with the one format that fits most rows; null where it does not fit."""
    best: pl.Series | None = None
    for form in TIME_FORMATS:
        parsed = texts.str.to_datetime(form, time_unit="us", strict=False)
        if best is None or parsed.null_count() < best.null_count():
            best = parsed
        if best.null_count() == 0:
            break
    assert best is not None
    return best.dt.replace_time_zone("UTC")


def _refuse(
    path: Path, frame: pl.DataFrame, wrong: pl.Expr, column: str, message: str, *, value: str | None = None
) -> None:
    first = frame.filter(wrong).head(1)
    if first.height:
        shown = f"{first[value][0]!r} " if value else ""
        raise DataFileError(path, int(first["line"][0]), column, f"{shown}{message}")

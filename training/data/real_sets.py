"""Real sets on disk -> TrainingData. Two forms, recognised by their files, never by their name.

orders:    order_lines.csv[.gz] (order_id, ts, customer_id, item_id, quantity, unit_price), optional items.tsv[.gz]
(item_id, title)
sequences: sequences.txt[.gz] (user item item ...), optional interactions.csv[.gz] (user_id, position, item_id, day),
           items.tsv[.gz] (item_id, title), item_attributes.json[.gz] ({item: [attribute]})
"""

import gzip
import json
from pathlib import Path

import polars as pl

from training.data.datasets import BadTrainingData, TrainingData, catalog_from_frame, events_from_frame


def read_set(path: Path) -> TrainingData:
    """Read the set at `path` (a directory or its main file).

    Raises BadTrainingData naming the file and the fault.
    """
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise BadTrainingData(f"{path}: no such directory")
    if _find(folder, "order_lines.csv"):
        return read_orders(folder)
    if _find(folder, "sequences.txt"):
        return read_sequences(folder)
    raise BadTrainingData(f"{folder}: neither order_lines.csv[.gz] nor sequences.txt[.gz] is there")


def read_orders(folder: Path) -> TrainingData:
    """The orders form.

    Lines with quantity <= 0 (cancellations) or price <= 0 (adjustments) are not purchases. A line without a customer is
    a guest's. An item without any priced line is a stock note, not a product.
    """
    file = _required(folder, "order_lines.csv")
    raw = _csv(file, ",")
    _columns(raw, file, ("order_id", "ts", "customer_id", "item_id", "quantity"))
    lines = raw.select(
        pl.col("order_id"),
        pl.col("customer_id").replace("", None).alias("user_id"),
        pl.col("item_id").alias("product_id"),
        _number(raw, file, "quantity").alias("quantity"),
        (_number(raw, file, "unit_price") if "unit_price" in raw.columns else pl.lit(1.0)).alias("price"),
        _time(raw, file).alias("ordered_at"),
    ).with_columns((pl.col("price") <= 0).alias("is_cancelled"))
    priced = lines.group_by("product_id").agg((pl.col("price") > 0).any().alias("recommendable"))
    catalog = catalog_from_frame(_items(folder, lines["product_id"]).join(priced, on="product_id", how="left"))
    events, users, dropped = events_from_frame(lines, catalog)
    if not len(events):
        raise BadTrainingData(f"{file}: no purchase line is left after cleaning")
    return TrainingData(folder.name, "orders", catalog, events, users, dropped=dropped)


def read_sequences(folder: Path) -> TrainingData:
    """The sequences form: every event is a step of its own.

    Days come from interactions.csv when present, else `timed` is False.
    """
    file = _required(folder, "sequences.txt")
    users: list[str] = []
    items: list[str] = []
    positions: list[int] = []
    for number, line in enumerate(_text(file).splitlines(), start=1):
        parts = line.split()
        if len(parts) < 2:
            raise BadTrainingData(f"{file}: line {number}: expected `user item item ...`")
        users += [parts[0]] * (len(parts) - 1)
        items += parts[1:]
        positions += range(len(parts) - 1)
    lines = pl.DataFrame(
        {"user_id": users, "product_id": items, "position": positions}, schema_overrides={"position": pl.Int64}
    )
    days = _days(folder)
    lines = lines.with_columns(pl.col("position").cast(pl.Float64).alias("time"))
    if days is not None:
        lines = lines.drop("time").join(days, on=["user_id", "position"], how="left", maintain_order="left")
        lines = lines.with_columns(pl.col("time").forward_fill().backward_fill().over("user_id").fill_null(0.0))
        lines = lines.with_columns(pl.col("time").cum_max().over("user_id"))
    lines = lines.with_columns(
        (pl.col("user_id").str.zfill(9) + "-" + pl.col("position").cast(pl.String).str.zfill(6)).alias("order_id")
    )
    catalog = catalog_from_frame(_items(folder, lines["product_id"]), clean_titles=False)
    events, user_ids, dropped = events_from_frame(lines, catalog)
    return TrainingData(folder.name, "sequences", catalog, events, user_ids, timed=days is not None, dropped=dropped)


def _days(folder: Path) -> pl.DataFrame | None:
    """user_id, position, time (days) of interactions.csv, None without the file."""
    file = _find(folder, "interactions.csv")
    if file is None:
        return None
    raw = _csv(file, ",")
    _columns(raw, file, ("user_id", "position", "day"))
    return raw.select(
        "user_id", pl.col("position").cast(pl.Int64), pl.col("day").replace("", None).cast(pl.Float64).alias("time")
    )


def _items(folder: Path, seen: pl.Series) -> pl.DataFrame:
    """Item frame over everything listed or seen: product_id, title, attributes."""
    frame = pl.DataFrame({"product_id": seen.unique().sort()})
    listing = _find(folder, "items.tsv")
    if listing is not None:
        titles = _csv(listing, "\t")
        _columns(titles, listing, ("item_id", "title"))
        titles = titles.select(pl.col("item_id").alias("product_id"), "title").unique("product_id", keep="first")
        frame = frame.join(titles, on="product_id", how="full", coalesce=True)
    attributes = _find(folder, "item_attributes.json")
    if attributes is not None:
        table = json.loads(_text(attributes))
        extra = pl.DataFrame(
            {"product_id": list(table), "attributes": [[str(a) for a in values] for values in table.values()]}
        )
        frame = frame.join(extra, on="product_id", how="left")
    return frame


def _find(folder: Path, name: str) -> Path | None:
    """`name` or `name`.gz in the folder."""
    return next((folder / candidate for candidate in (name, f"{name}.gz") if (folder / candidate).is_file()), None)


def _required(folder: Path, name: str) -> Path:
    file = _find(folder, name)
    if file is None:
        raise BadTrainingData(f"{folder}: {name}[.gz] is missing")
    return file


def _text(file: Path) -> str:
    try:
        return gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadTrainingData(f"{file}: unreadable: {error}") from error


def _csv(file: Path, separator: str) -> pl.DataFrame:
    """All columns as text; a ragged or unreadable file is an error with its name. Tab files are unquoted."""
    try:
        return pl.read_csv(
            _text(file).encode(), separator=separator, infer_schema=False, quote_char='"' if separator == "," else None
        )
    except pl.exceptions.PolarsError as error:
        raise BadTrainingData(f"{file}: {error}") from error


def _columns(frame: pl.DataFrame, file: Path, names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise BadTrainingData(f"{file}: columns {missing} are missing, found {frame.columns}")


def _number(frame: pl.DataFrame, file: Path, name: str) -> pl.Expr:
    """Column as float64; the first unreadable line is named."""
    bad = frame.with_row_index("line", offset=2).filter(pl.col(name).cast(pl.Float64, strict=False).is_null())
    if bad.height:
        raise BadTrainingData(f"{file}: line {bad['line'][0]}: {name} is not a number: {bad[name][0]!r}")
    return pl.col(name).cast(pl.Float64)


def _time(frame: pl.DataFrame, file: Path) -> pl.Expr:
    """Column ts as datetime; minutes or seconds, `T` or blank."""
    parsed = pl.coalesce(
        *(
            pl.col("ts").str.replace("T", " ").str.to_datetime(form, strict=False)
            for form in ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
        )
    )
    bad = frame.with_row_index("line", offset=2).filter(parsed.is_null())
    if bad.height:
        raise BadTrainingData(f"{file}: line {bad['line'][0]}: ts is not a time: {bad['ts'][0]!r}")
    return parsed

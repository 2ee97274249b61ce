"""The tables of docs/figures.md and docs/capacity.md and the README's headline figures, rendered from docs/results.

`make generate` writes them, so no figure is typed by hand.
"""

import re
from pathlib import Path

from tests.benchmarks.capacity_model import page as capacity
from tests.benchmarks.results import latest

# `brief` leaves out figures of the validation part.
MARKER = re.compile(r"(<!-- results:(\w+)( brief)? -->\n).*?(<!-- /results -->)", re.DOTALL)
CAPACITY = re.compile(r"(<!-- capacity:(\w+) -->\n).*?(<!-- /capacity -->)", re.DOTALL)
HEADLINE = re.compile(r"(<!-- headline -->\n).*?(<!-- /headline -->)", re.DOTALL)
PAGES = ("README.md", "docs/capacity.md", "docs/figures.md", "training/README.md")
# (benchmark, name of the line, title in the README)
HEADLINES = (
    ("demo", "marketplace: time", "`make demo`, everything installed"),
    ("latency", "product detail", "product page at one client"),
    ("latency", "search with facets", "search with facets at one client"),
    ("latency", "place an order, paid", "paid order at one client"),
    ("latency", "for you, at the recommender", "recommendations at one client"),
    ("cdc", "commit to the lake, p50", "commit to lake, median"),
    ("cdc", "to the durable lake, folds included / pg_recvlogical", "changes into the durable lake"),
    ("load", "marketplace, against COPY under the same constraints", "history loaded under constraints"),
    ("dbt", "dbt build beside the same SQL in DuckDB", "all marts and features built and tested"),
    (
        "recommenders",
        "online_retail: for you: products of later orders not bought before, users with history: shipped: ranker",
        "recommender on UCI Online Retail, against popularity",
    ),
)


def number(value: object) -> str:
    """The number with thousands separators, four significant digits below ten; a dash for None."""
    if value is None:
        return "–"
    if not isinstance(value, int | float):
        return str(value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.4g}"


def table(benchmark: str, *, brief: bool) -> str:
    """A Markdown table of the newest line per name; says so when the benchmark has not been run."""
    newest = {name: line for name, line in latest(benchmark).items() if not (brief and "validation" in name)}
    if not newest:
        command = "make test RECORD=1" if benchmark == "tests" else f"souk bench {benchmark}"
        return f"_No results yet: run `{command}`._\n"
    rows = [
        "| measured | ours | measured against, same run | unit | ratio | note |",
        "| --- | ---: | ---: | --- | ---: | --- |",
    ]
    for line in newest.values():
        figures = (number(line["ours"]), number(line.get("limit")), line["unit"], number(line.get("ratio")))
        rows.append(f"| {line['name']} | {' | '.join(map(str, figures))} | {line.get('note', '')} |")
    last = max(str(line.get("at", "")) for line in newest.values())
    # Lines of several runs may come from several machines, the newest line's first.
    machines = dict.fromkeys(str(line.get("machine", "")) for line in reversed(newest.values()))
    return "\n".join(rows) + f"\n\n`docs/results/{benchmark}.jsonl`, last run {last[:10]}, {'; '.join(machines)}.\n"


def headline() -> str:
    """One row per entry of HEADLINES that was measured."""
    rows = ["| what | ours | measured against | unit |", "| --- | ---: | ---: | --- |"]
    for benchmark, name, words in HEADLINES:
        line = latest(benchmark).get(name)
        if line is not None:
            rows.append(f"| {words} | {number(line['ours'])} | {number(line.get('limit'))} | {line['unit']} |")
    return "\n".join(rows) + "\n"


def render(page: Path) -> str:
    """The page with every marked table rendered again."""
    text = MARKER.sub(lambda match: f"{match[1]}{table(match[2], brief=bool(match[3]))}{match[4]}", page.read_text())
    lines = capacity.results()
    text = CAPACITY.sub(lambda match: f"{match[1]}{capacity.block(match[2], lines)}{match[3]}", text)
    return HEADLINE.sub(lambda match: f"{match[1]}{headline()}{match[2]}", text)

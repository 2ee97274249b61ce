"""`python -m tests.benchmarks.render [--check]`: write the README's tables from the result files, so that no figure is
typed."""

import json
import re
import sys
from pathlib import Path

from tests.benchmarks.results import RESULTS, ROOT

# `brief` leaves out what was measured on the validation part.
MARKER = re.compile(r"(<!-- results:(\w+)( brief)? -->\n).*?(<!-- /results -->)", re.DOTALL)
PAGES = ("README.md", "training/README.md", "warehouse/README.md")


def number(value: object) -> str:
    """Thousands separated, three significant places below ten; a dash for nothing."""
    if value is None:
        return "–"
    if not isinstance(value, int | float):
        return str(value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.4g}"


def table(benchmark: str, *, brief: bool) -> str:
    """A Markdown table of the newest line per name; says so when the benchmark has not been run."""
    path = RESULTS / f"{benchmark}.jsonl"
    if not path.exists():
        return f"_No results yet: run `souk bench {benchmark}`._\n"
    newest: dict[str, dict[str, object]] = {}
    for text in path.read_text().splitlines():
        line = json.loads(text)
        if not (brief and "validation" in line["name"]):
            newest[str(line["name"])] = line
    rows = [
        "| measured | ours | measured against, same run | unit | ratio | note |",
        "| --- | ---: | ---: | --- | ---: | --- |",
    ]
    for line in newest.values():
        figures = (number(line["ours"]), number(line.get("limit")), line["unit"], number(line.get("ratio")))
        rows.append(f"| {line['name']} | {' | '.join(map(str, figures))} | {line.get('note', '')} |")
    last = max(str(line.get("at", "")) for line in newest.values())
    return (
        "\n".join(rows) + f"\n\n`docs/results/{benchmark}.jsonl`, last run {last[:10]},"
        f" {next(iter(newest.values())).get('machine', '')}.\n"
    )


def render(page: Path) -> str:
    """The page with every marked table made anew."""
    return MARKER.sub(lambda match: f"{match[1]}{table(match[2], brief=bool(match[3]))}{match[4]}", page.read_text())


def main() -> int:
    stale = []
    for name in PAGES:
        page = ROOT / name
        if page.exists() and (made := render(page)) != page.read_text():
            stale.append(name)
            if "--check" not in sys.argv:
                page.write_text(made)
    sys.stdout.write(f"{'stale' if '--check' in sys.argv else 'rendered'}: {', '.join(stale) or 'nothing'}\n")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The words in the left column of the last table of docs/glossary.md occur nowhere in the project."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.test_rules import ROOT, tracked

GLOSSARY = ROOT / "docs" / "glossary.md"
ROW = re.compile(r"^\| ([a-z_ ]+) \| [^|]+ \|$", re.MULTILINE)
# What the command line is called with from outside.
COMMANDS = ("load catalogue", '"catalogue"', "catalogue:", "for catalogue a file")
# Names of published figures, which do not change: the results of several releases are read under one name.
PUBLISHED = ("dbt build beside the same SQL in DuckDB", *COMMANDS)
SEARCHED = {".py", ".md", ".sql", ".yml", ".toml", ".html", ".js", ".css", ".sh"}


def refused(glossary: str) -> list[str]:
    """The words of the left column, in order."""
    return ROW.findall(glossary.partition("## Words that are not used")[2])[1:]  # without the table's header


def uses(text: str, words: list[str]) -> Iterator[str]:
    """`line N: word` for every use; a word also counts as a part of a name (`old_word`, `oldWord`, `OldWord`)."""
    either = "|".join(re.escape(word) for word in words)
    camel = "|".join(word.capitalize() for word in words)
    pattern = re.compile(rf"(?<![A-Za-z])(?i:{either})(?![a-z])|(?<=[a-z])(?:{camel})(?![a-z])")
    for name in PUBLISHED:
        text = text.replace(name, "")
    for number, line in enumerate(text.splitlines(), 1):
        for match in pattern.finditer(line):
            yield f"line {number}: {match.group()}"


def test_no_file_uses_a_refused_word() -> None:
    words = refused(GLOSSARY.read_text())
    searched = [path for path in tracked() if path.suffix in SEARCHED and path not in {GLOSSARY, Path(__file__)}]

    assert words
    assert [f"{path.relative_to(ROOT)} {use}" for path in searched for use in uses(path.read_text(), words)] == []


def test_the_rule_sees_words_and_parts_of_names() -> None:
    head = "| catalogue | not read above |\n## Words that are not used\n| not | but |\n| --- | --- |\n"

    assert refused(f"{head}| rung | source |\n") == ["rung"]
    assert list(uses("rung = 1\nthe_rung\nOldRung\nwrung, rungs\nprung\n", ["rung"])) == [
        "line 1: rung",
        "line 2: rung",
        "line 3: Rung",
    ]


def test_a_published_name_is_kept_and_its_word_is_refused_elsewhere() -> None:
    assert list(uses(f"{PUBLISHED[0]}\nbeside\n", ["beside"])) == ["line 2: beside"]

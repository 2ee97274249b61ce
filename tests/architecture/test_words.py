"""The glossary's last table is a rule: its left column appears in no file of the project."""

import re

from tests.architecture.test_rules import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
ROW = re.compile(r"^\| ([a-z_ ]+?)(?: \(([a-z]+)\))? \| (.+) \|$", re.MULTILINE)
SEARCHED = {".py", ".md", ".sql", ".yml", ".toml", ".html", ".js", ".css"}

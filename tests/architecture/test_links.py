"""Every relative link in the documentation leads somewhere."""

import re

from tests.architecture.test_rules import ROOT, tracked

LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")


def test_relative_links_exist() -> None:
    pages = [path for path in tracked() if path.suffix == ".md"]
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in pages
        for target in LINK.findall(page.read_text())
        if not (page.parent / target).exists() and not (ROOT / target).exists()
    ]
    assert broken == []

"""Every relative link in the documentation has a target, and every file that a recipe names exists."""

import re
from collections.abc import Iterator

from tests.architecture.test_rules import PACKAGES, ROOT, tracked

LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")

# A path between backticks that begins with a folder of the repository; `<name>`, NNNN, `*` and `...` are placeholders.
PLACE = re.compile(rf"`((?:{'|'.join((*PACKAGES, 'docs'))})/[^`\s]*)`")
STANDS_FOR_OTHERS = re.compile(r"[<*]|NNNN|\.\.\.")
# Paths that the recipes create.
MADE = ("api/reviews/", "api/payments/gateways/cards.py")


def missing_places(page: str) -> Iterator[str]:
    """Paths that `page` names and that do not exist."""
    for place in PLACE.findall(page):
        opening, brace, rest = place.partition("{")
        choices, _, ending = rest.partition("}")
        for choice in choices.split(",") if brace else [""]:
            path = f"{opening}{choice}{ending}"
            if not path.startswith(MADE) and not STANDS_FOR_OTHERS.search(path) and not (ROOT / path).exists():
                yield path


def test_the_recipes_name_files_that_exist() -> None:
    assert list(missing_places((ROOT / "docs" / "how-to.md").read_text())) == []


def test_a_path_of_an_earlier_layout_is_seen() -> None:
    page = "`api/app.py` `api/gone.py` `api/{app,left}.py` `api/<noun>/models.py` `api/reviews/jobs.py` `GET /api/v1`"

    assert list(missing_places(page)) == ["api/gone.py", "api/left.py"]


def test_relative_links_exist() -> None:
    pages = [path for path in tracked() if path.suffix == ".md"]
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in pages
        for target in LINK.findall(page.read_text())
        if not (page.parent / target).exists() and not (ROOT / target).exists()
    ]
    assert broken == []

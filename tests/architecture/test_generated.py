"""Every generated file equals what its source renders, so it was neither edited by hand nor forgotten."""

from pathlib import Path

import pytest

from tests.generate import GENERATED, Generated


@pytest.mark.parametrize("generated", GENERATED, ids=lambda item: item.name)
def test_a_generated_file_is_what_its_source_says(generated: Generated) -> None:
    assert not generated.stale(), f"{generated.name} is not what {generated.source} says: run `make generate`"


def test_an_edited_file_is_stale(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    generated = Generated(page, "nothing", lambda: "as rendered\n")

    assert generated.stale()
    page.write_text("as rendered\n")
    assert not generated.stale()
    page.write_text("as edited\n")
    assert generated.stale()

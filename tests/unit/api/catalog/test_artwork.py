"""Drawn pictures: the same for the same product, and no way to put markup in."""

from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

from api.catalog.artwork import artwork_path, draw

SVG = "{http://www.w3.org/2000/svg}"


def test_a_title_always_gets_the_same_picture_and_another_title_another() -> None:
    assert draw("Blue Lamp", "/Home") == draw("Blue Lamp", "/Home")
    assert draw("Blue Lamp", "/Home") != draw("Red Lamp", "/Home")
    assert draw("Blue Lamp", "/Home") != draw("Blue Lamp", "/Garden")


def test_products_of_one_department_share_their_ground() -> None:
    grounds = {
        ET.fromstring(draw(title, path)).findall(f"{SVG}rect")[0].get("fill")  # noqa: S314 - our own text
        for title, path in (("Blue Lamp", "/Home/Light"), ("Chair", "/Home/Garden"), ("Sofa", "/Home"))
    }
    assert len(grounds) == 1


@pytest.mark.parametrize(
    ("title", "initials"),
    [
        ("Blue Lamp", "BL"),
        ("lamp", "L"),
        ("a b c", "AB"),
        ("& lamp", "L"),
        ("!!!", "?"),
        ("", "?"),
        ("Émile Zola", "ÉZ"),
    ],
)
def test_the_initials_are_those_of_the_first_two_words(title: str, initials: str) -> None:
    picture = ET.fromstring(draw(title, "/Home"))  # noqa: S314 - our own text

    assert picture.findtext(f"{SVG}text") == initials
    assert picture.findtext(f"{SVG}title") == title
    assert picture.findtext(f"{SVG}desc") == "Generated artwork, not a photograph"


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", 'Tom & "Jerry"', "</svg><b>", "< <"])
def test_a_title_stays_text(title: str) -> None:
    picture = ET.fromstring(draw(title, "/Home"))  # noqa: S314 - our own text

    assert picture.findtext(f"{SVG}title") == title
    assert {child.tag.removeprefix(SVG) for child in picture} == {"title", "desc", "rect", "circle", "text"}


def test_the_pictures_place_names_its_product() -> None:
    assert artwork_path(UUID(int=7)) == f"/api/v1/products/{UUID(int=7)}/image.svg"

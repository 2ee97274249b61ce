"""Drawn pictures: the same for the same product, distinct for the others, and no way to put markup in."""

import io
import re
from datetime import UTC, datetime
from uuid import UUID
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from api.catalog.artwork import artwork_path, drawn_path, is_artwork
from api.catalog.artwork.drawing import Subject
from api.catalog.artwork.sizes import raster
from api.operations.load.marketplace.catalog import build_catalog
from api.operations.load.marketplace.words import KINDS
from tests.harness.quick import few

SVG = "{http://www.w3.org/2000/svg}"
SHAPE = re.compile(r"<g transform=.*", re.DOTALL)


def shape(title: str, category: str = "/Other") -> str:
    """What stands in the picture, whatever its colour and place."""
    return re.sub(r'<g transform="translate[^"]*">', "", SHAPE.findall(Subject(title, category).draw())[0])


def test_a_title_always_gets_the_same_picture_and_another_title_another() -> None:
    assert Subject("Blue Lamp", "/Home").draw() == Subject("Blue Lamp", "/Home").draw()
    assert Subject("Blue Lamp", "/Home").draw() != Subject("Red Lamp", "/Home").draw()
    assert Subject("Blue Lamp", "/Home").draw() != Subject("Blue Lamp", "/Garden").draw()
    assert Subject("Blue Lamp", "/Home").digest != Subject("Blue Lamp", "/Garden").digest


@pytest.mark.parametrize(
    ("title", "same"),
    [
        ("Voltaro Slim Table Lamp", "lamp"),
        ("Northpeak Sleeping Bag II", "sleeping-bag"),
        ("Wine Glasses", "wine-glasses"),
        ("Safety Glasses", "goggles"),
        ("Lamp for a desk chair", "chair"),
        ("MUG", "mug"),
        ("Kettle, 1.5 l", "kettle"),
    ],
)
def test_the_last_noun_that_is_known_says_what_is_drawn(title: str, same: str) -> None:
    assert shape(title) == shape(same)


def test_a_title_that_names_nothing_known_is_drawn_as_its_category_and_else_as_a_parcel() -> None:
    assert shape("Qwrtz 3000", "/Home/Lamps/Lamp") == shape("lamp")
    assert shape("Qwrtz 3000", "/Other") == shape("!!!") == shape("") != shape("lamp")


def test_every_kind_of_product_of_the_demo_has_a_shape() -> None:
    assert [kind.noun for kind in KINDS if shape(kind.noun) == shape("")] == []


def test_the_pictures_of_the_demo_are_distinct() -> None:
    opened_at = datetime(2026, 1, 1, tzinfo=UTC)
    titles = build_catalog(np.random.default_rng(7), 2_000, opened_at).products["title"]
    drawings = {re.sub("<title>.*</title>", "", Subject(title, "/Home").draw()) for title in titles}

    assert len(drawings) == 2_000


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", 'Tom & "Jerry"', "</svg><b>", "< <"])
def test_a_title_stays_text(title: str) -> None:
    picture = ET.fromstring(Subject(title, "/Home").draw())  # noqa: S314 - our own text

    assert picture.findtext(f"{SVG}title") == title
    assert {part.tag.removeprefix(SVG) for part in picture.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "circle", "ellipse", "path", "g"),
    }
    ET.fromstring(f'<a blur="{Subject(title, "/Home").blur}"/>')  # noqa: S314 - our own text


@pytest.mark.parametrize("size", few([160, 480, 1200], 2))
def test_a_size_is_the_drawing_in_pixels(size: int) -> None:
    subject = Subject("Blue Lamp", "/Home")
    with Image.open(io.BytesIO(raster(subject, size))) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=np.int16)

    assert (picture.format, picture.size) == ("WEBP", (size, size))
    assert np.abs(pixels[1, 1] - [int(subject.ground[at : at + 2], 16) for at in (1, 3, 5)]).max() <= 6
    assert len(np.unique(pixels.reshape(-1, 3) // 32, axis=0)) > 8


def test_addresses_name_the_product_and_the_picture() -> None:
    subject = Subject("Blue Lamp", "/Home")
    svg, drawn = artwork_path(UUID(int=7)), drawn_path(UUID(int=7), subject, 480)

    assert svg == f"/api/v1/products/{UUID(int=7)}/image.svg"
    assert drawn == f"/api/v1/products/{UUID(int=7)}/drawn/{subject.digest}/480.webp"
    assert [is_artwork(one) for one in (svg, drawn, f"{svg}x", f"{drawn}x", "/api/v1/media/a/480.webp")] == [
        *(True, True, False, False, False)
    ]

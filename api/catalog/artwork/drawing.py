"""Draws a product: the shape that its title names, in a colour and a setting that follow from the title alone."""

import colorsys
import hashlib
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from importlib.resources import files
from xml.etree import ElementTree as ET

# Another one for another way of drawing: what an address with a digest leads to never changes.
EDITION = "1"
_SVG = "{http://www.w3.org/2000/svg}"
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
# Behind the product. `{far}` is the darker tone of the setting.
_SETTINGS = (
    '<circle cx="50" cy="48" r="41" fill="{far}"/>',
    '<path d="M14 86V46a36 36 0 0 1 72 0v40z" fill="{far}"/>',
    '<path d="M0 70h100v30H0z" fill="{far}"/>',
    '<path d="M0 100 100 22v78z" fill="{far}"/>',
    '<rect x="12" y="12" width="76" height="74" rx="14" fill="{far}"/>',
    '<circle cx="78" cy="24" r="15" fill="{far}"/><path d="M0 74q28-16 54-2t46-4v32H0z" fill="{far}"/>',
)
_BLUR = (
    "data:image/svg+xml,%3Csvg xmlns=%27http://www.w3.org/2000/svg%27%3E%3Crect width=%279%27 height=%279%27 "
    "fill=%27{fill}%27/%3E%3C/svg%3E"
)
# Hue, saturation and lightness of what is drawn.
_COLOURS = (
    *((0.00, 0.55, 0.48), (0.04, 0.62, 0.52), (0.09, 0.70, 0.52), (0.12, 0.72, 0.50), (0.24, 0.34, 0.42)),
    *((0.36, 0.36, 0.36), (0.46, 0.42, 0.38), (0.55, 0.52, 0.48), (0.60, 0.48, 0.40), (0.68, 0.34, 0.50)),
    *((0.80, 0.34, 0.42), (0.93, 0.44, 0.54), (0.08, 0.24, 0.44), (0.58, 0.12, 0.36), (0.09, 0.26, 0.66)),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a picture is drawn from: a product's title and its category's path."""

    title: str
    category: str

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that change with the picture."""
        return self._hash().hex()[:16]

    def _hash(self) -> bytes:
        return _hash(f"{EDITION}\n{self.category}\n{self.title}")

    @property
    def _hue(self) -> float:
        """That of the department, 0 to 1."""
        return _hash(self.category.strip("/").partition("/")[0])[0] / 256

    @property
    def ground(self) -> str:
        """The colour that most of the picture has, `#rrggbb`."""
        chance = self._hash()
        return _hex(self._hue + (chance[1] - 128) / 4_000, 0.32, 0.90 + chance[2] / 6_000)

    @property
    def blur(self) -> str:
        """The ground alone, as a data URI."""
        return _BLUR.replace("{fill}", self.ground.replace("#", "%23"))

    def draw(self) -> str:
        """The picture as SVG, without a text, a script or anything to load; its description says that it is drawn."""
        chance = self._hash()
        hue, saturation, lightness = _COLOURS[chance[3] % len(_COLOURS)]
        hue += (chance[4] - 128) / 8_000
        lightness += (chance[5] - 128) / 3_000
        setting = _SETTINGS[chance[6] % len(_SETTINGS)].format(far=_hex(self._hue, 0.34, 0.80 + chance[7] / 5_000))
        turned = f"rotate({(chance[8] - 128) / 32:.1f} 50 60)"
        mirrored = "translate(100 0) scale(-1 1)" if chance[9] % 2 else ""
        large = 0.74 + chance[10] / 2_500
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="480" height="480" role="img">'
            f"<title>{escape(self.title)}</title><desc>Drawn by the shop, not a photograph</desc><style>"
            f".a{{fill:{_hex(hue, saturation, lightness)}}}.b{{fill:{_hex(hue, saturation, lightness - 0.11)}}}"
            f".c{{fill:{_hex(hue, saturation * 0.8, lightness + 0.2)}}}.d{{fill:#33363d}}.w{{fill:#fbfaf7}}"
            ".l,.m{fill:none;stroke-linecap:round;stroke-linejoin:round}.l{stroke:#33363d;stroke-width:2.6}"
            f".m{{stroke:{_hex(hue, saturation, lightness - 0.04)};stroke-width:4.4}}</style>"
            f'<rect width="100" height="100" fill="{self.ground}"/>{setting}'
            '<ellipse cx="50" cy="82" rx="35" ry="4.5" fill="#20242c" opacity=".16"/>'
            f'<g transform="translate(50 83) scale({large:.3f}) translate(-50 -84) {turned} {mirrored}">'
            f"{_shape_of(self.title) or _shape_of(self.category.replace('/', ' ')) or _shapes()['']}</g></svg>"
        )


@lru_cache(maxsize=1_000)
def _hash(text: str) -> bytes:
    """A page names three sizes of its picture and their ground."""
    return hashlib.sha256(text.encode()).digest()


def _shape_of(text: str) -> str | None:
    """The shape of the last noun, or pair of nouns, that one is known for; None if there is none."""
    words = [word.lower() for word in _WORD.findall(text)]
    for end in range(len(words), 0, -1):
        for known in ("-".join(words[max(end - 2, 0) : end]), words[end - 1]):
            if known in _shapes():
                return _shapes()[known]
    return None


@cache
def _shapes() -> dict[str, str]:
    """The elements of each shape by the nouns that it stands for; that of no noun stands for anything."""
    groups = ET.fromstring(files(__package__).joinpath("shapes.svg").read_text("utf-8"))  # noqa: S314 - our own file
    by_noun: dict[str, str] = {}
    for group in groups:
        drawn = "".join(_plain(element) for element in group)
        by_noun |= dict.fromkeys(group.get("nouns", "").split() or [""], drawn)
    return by_noun


def _plain(element: ET.Element) -> str:
    """The element without its namespace: it is put into another document."""
    element.tail = None
    for part in element.iter():
        part.tag = part.tag.removeprefix(_SVG)
    return ET.tostring(element, "unicode")


def _hex(hue: float, saturation: float, lightness: float) -> str:
    channels = colorsys.hls_to_rgb(hue % 1, min(max(lightness, 0), 1), saturation)
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)

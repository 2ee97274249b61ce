"""What is said in German of the generated marketplace: names of its categories, and the goods of its kitchen."""

from collections.abc import Mapping, Sequence
from typing import Final

DEPARTMENT: Final = "Kitchen"


def _pairs(text: str) -> dict[str, str]:
    """`English = German`, separated by semicolons."""
    pairs = (one.strip().split(" = ", 1) for one in text.replace("\n", " ").split(";"))
    return dict(pairs)


CATEGORIES: Final = _pairs(
    """
    Outdoors = Draußen; Camping = Zelten; Hiking = Wandern; Kitchen = Küche; Cookware = Töpfe und Pfannen;
    Baking = Backen; Coffee & Tea = Kaffee und Tee; Tableware = Geschirr; Home = Wohnen; Bedding = Bettwaren;
    Living Room = Wohnzimmer; Bath = Bad; Electronics = Elektronik; Audio = Audio; Computing = Computer;
    Travel Tech = Technik für unterwegs; Garden = Garten; Growing = Anbau; Outdoor Living = Leben im Garten;
    Sports = Sport; Running = Laufen; Fitness = Fitness; Cycling = Radfahren; Baby & Kids = Baby und Kind;
    Nursery = Kinderzimmer; Toys = Spielzeug; School = Schule; Office = Büro; Furniture = Möbel;
    Stationery = Schreibwaren; Beauty = Schönheit; Skin Care = Hautpflege;
    Bath & Body = Bad und Körper; Tools = Werkzeug; Power Tools = Elektrowerkzeug; Hand Tools = Handwerkzeug
    """
)
NOUNS: Final = _pairs(
    """
    Frying Pan = Bratpfanne; Dutch Oven = Schmortopf; Saucepan = Kochtopf; Wok = Wok; Griddle Plate = Grillplatte;
    Mixing Bowl Set = Rührschüsseln; Loaf Tin = Kastenform; Rolling Pin = Nudelholz; Cake Stand = Tortenplatte;
    Kitchen Scale = Küchenwaage; Pour-Over Dripper = Handfilter; Burr Coffee Grinder = Kaffeemühle;
    Gooseneck Kettle = Schwanenhalskessel; Espresso Cups = Espressotassen; Teapot = Teekanne;
    Dinner Plates = Essteller; Wine Glasses = Weingläser; Cutlery Set = Besteck; Picnic Blanket = Picknickdecke;
    Lunch Box = Brotdose
    """
)
FEATURES: Final = _pairs(
    """
    Stainless Steel = Edelstahl; Cast Iron = Gusseisen; Ceramic = Keramik; Non-Stick = antihaftbeschichtet;
    Bamboo = Bambus; Enamelled = emailliert; Copper-Bottom = mit Kupferboden; Glass = Glas; Silicone = Silikon;
    Carbon Steel = Kohlenstoffstahl
    """
)
LABELS: Final = _pairs(
    """
    brand = Marke; feature = Ausführung; type = Art; colour = Farbe; capacity = Inhalt; pack = Packung;
    Black = Schwarz; Slate Grey = Schiefergrau; Forest Green = Waldgrün; Navy = Marineblau; Sand = Sand;
    Terracotta = Terrakotta; Ivory = Elfenbein; Plum = Pflaume; Sky Blue = Himmelblau; Mustard = Senfgelb;
    Single = Einzeln; Pack of 2 = 2 Stück; Pack of 4 = 4 Stück; Pack of 6 = 6 Stück
    """
)


def names_of(category: str) -> dict[str, str] | None:
    """A category's names by language; None for one that has no other than its own."""
    return {"de": CATEGORIES[category]} if category in CATEGORIES else None


def translations_of(
    title: str, *, brand: str, feature: str, noun: str, words: Sequence[str]
) -> Mapping[str, Mapping[str, object]]:
    """A kitchen product's, as `products.translations` has them. `words`: names and values of its attributes."""
    series = title.replace(brand, "").replace(feature, "").replace(noun, "")
    said = f"{brand} {' '.join(series.split())} {NOUNS[noun]}, {FEATURES[feature]}"
    labels = {name: LABELS[name] for name in ("brand", "feature", "type", *words) if name in LABELS}
    return {
        "de": {
            "title": said,
            "description": f"{said}: {NOUNS[noun]} von {brand}.",
            "labels": labels | {feature: FEATURES[feature], noun: NOUNS[noun]},
        }
    }

"""Display titles, and the words of a title that may name the item, from which categories are made."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SMALL = _words("a an and as at by for from in into of on or the to with")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[A-Z]+(?:'[A-Z]+)?")
# The words after these describe what the item has or is for, not what it is.
_ENDS = _words("WITH W IN FOR ON FROM AND BY TO INC")
# Words that never name an item: colours, sizes, shapes, materials, counts, general styles.
_STOP = _words(
    """
    A AN OF THE RED BLUE PINK WHITE BLACK GREEN IVORY CREAM YELLOW ORANGE PURPLE GREY SILVER GOLD TURQUOISE AQUA LILAC
    MINT BROWN BEIGE NATURAL CLEAR COLOUR COLOURED COLOURS ASSORTED ASSTD ASST MULTICOLOUR LARGE SMALL MEDIUM MINI BIG
    JUMBO GIANT TALL LONG SHORT XL S M L SET PACK PK PCS PC PIECE PIECES TIER DESIGN DESIGNS STYLE STYLES VINTAGE RETRO
    RETROSPOT SPOT SPOTS DOT DOTS POLKADOT POLKA STRIPE STRIPES GINGHAM PAISLEY FLORAL WOODEN WOOD METAL GLASS CERAMIC
    PORCELAIN ENAMEL PAPER COTTON FELT PLASTIC ACRYLIC ZINC TIN CM KG G ML ROUND SQUARE HEARTS ANTIQUE TRADITIONAL
    CLASSIC DELUXE LITTLE NEW OLD PRETTY LOVELY CHRISTMAS XMAS EASTER FRENCH ENGLISH LONDON PARIS UNION JACK NO
    """
)


def display_title(raw: str) -> str:
    """`raw` with single spaces and, when it is written in capitals, in title case;
    units with digits in lower case (40x40cm)."""
    text = _SPACE.sub(" ", raw).strip(" .,*?-")
    letters = [char for char in text if char.isalpha()]
    if not letters or sum(char.isupper() for char in letters) < 0.7 * len(letters):
        return text or raw.strip()
    words = [_display_word(word, first=index == 0) for index, word in enumerate(text.split(" "))]
    return " ".join(words)


def _display_word(word: str, *, first: bool) -> str:
    lower = word.lower()
    if lower in _SMALL and not first:
        return lower
    if any(char.isdigit() for char in word):
        return lower[:1].upper() + lower[1:] if first else lower
    return "-".join("/".join(piece[:1].upper() + piece[1:] for piece in part.split("/")) for part in lower.split("-"))


def candidates(title: str) -> list[str]:
    """The words that may name the item, singular, in order; the head noun of
    an English title is usually the last one."""
    words: list[str] = []
    for word in _WORD.findall(title.upper()):
        if word in _ENDS and words:
            break
        if word not in _STOP and len(word) > 2:
            words.append(singular(word.removesuffix("'S")))
    return words


def singular(word: str) -> str:
    """A rough singular: CANDLES -> CANDLE, BOXES -> BOX, BERRIES -> BERRY; GLASS stays."""
    if len(word) > 4 and word.endswith("IES"):
        return word[:-3] + "Y"
    if len(word) > 4 and word.endswith(("XES", "CHES", "SHES", "SSES")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("S") and not word.endswith(("SS", "US")) else word

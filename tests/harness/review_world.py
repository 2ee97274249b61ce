"""A generated month of reviews of which it is known what they are, to measure moderation on.

The rule, for a seed: 40 sellers with 6 products each and 900 shoppers, who write 1,800 honest reviews over 30 days.
Their words follow their stars (one in twenty is a sarcasm), one in eight shares an address with another shopper, three
in four have received the product, one in fifty swears in praise, one in thirty mentions a number or a site that is
none. Two products are successes: 25 verified buyers each review them on one day. Against them:

- `advert` (60): a link, a telephone number or a messenger in one of several disguises, or an offer; new accounts.
- `copy` (60): five texts, each sent by a dozen accounts with another product's name and a word or two changed.
- `paid` (30): an honest text that says that something was given for it.
- `abuse` (40): insults, in words that a list knows and in words that only a model knows.
- `ring` (6 rings of 10 accounts): each account has its own words and an old account, is not verified, and gives five
  stars to three products of one seller within five days, from one of three addresses of the ring.
- `attack` (4 of 14 accounts): new accounts, each from its own address, give one star to one product within six hours.

Who made the rules made this world too, so its figures say that the rules do what they are meant to do, not how much
spam of real people they find. Words of `test` worlds are others than those of `train` worlds, for a model that learns.
"""

import random
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from api.reviews.judging.evidence import PLACES, REJECTED, USUAL
from api.reviews.judging.likeness import ALIKE, bands, likeness, signature
from api.reviews.judging.mood import mood
from api.reviews.judging.rules import Decision, Facts, Thresholds, Verdict, judge

MART = Path(__file__).parents[2] / "transforms/dbt/models/marts/core/fct_review_suspicions.sql"
START = datetime(2026, 6, 1, tzinfo=UTC)
THRESHOLDS = Thresholds(0.5, 0.3, 0.95)
KINDS = ("advert", "copy", "paid", "abuse", "ring", "attack")
_THINGS = "kettle lamp backpack desk headset drill blanket watch tripod pan chair router tent mixer scale".split()  # noqa: SIM905
_PARTS = "handle cable lid surface stitching box manual switch frame base strap colour display cover hinge".split()  # noqa: SIM905
_PEOPLE = "mother brother neighbour daughter colleague flatmate partner uncle son friend".split()  # noqa: SIM905
_PLACES = "kitchen office garage garden workshop hallway van studio bedroom classroom".split()  # noqa: SIM905
_TIMES = ["two days", "a week", "three weeks", "a month", "half a year", "one evening", "ten uses", "a long trip"]
# Each is filled with words of the lists: a part, a person, a place, a time.
_GOOD = [
    "the {part} is excellent", "I love the {part}", "my {who} is happy with it", "great in the {where}",
    "after {time} it still looks new", "a perfect gift for my {who}", "the {part} feels solid and the {part2} too",
    "easy to clean, even in the {where}", "my {who} wants the same one now", "best I had in the {where} in {time}",
    "it arrived well packed, the {part} safe", "setting up the {part} was easy",
]  # fmt: skip
_BAD = [
    "the {part} broke after {time}", "the {part} smells terrible", "I hate the {part}", "useless in the {where}",
    "my {who} was disappointed", "the {part} was scratched when it came", "a waste of money, ask my {who}",
    "it failed after {time}", "the noise is horrible in the {where}", "the {part} does not fit the {part2}",
]  # fmt: skip
_SO_SO = [
    "the {part} does its job", "nothing special for the {where}", "after {time} I am used to the {part}",
    "my {who} likes it, I do not", "the {part} could be longer", "average, but the {part2} is fine",
]  # fmt: skip
_LINKS = {
    "train": ["www.{n}-deals.com", "{n}deals dot com", "{n}.shop/now"],
    "test": ["{n}-outlet[dot]net", "https://bit.ly/{n}7", "{n} bargains (dot) org"],
}
_ADVERTS = {
    "train": ["whatsapp me at 555 {d}", "call +49 170 {d}4", "use promo code {n}20", "mail {n}(at)mail.com"],
    "test": [
        "add us on telegram @{n}_store",
        "text 0049 172 {d}9",
        "visit our store, coupon code {n}",
        "write {n} @ web.de",
    ],
}
_PAID = {
    "train": ["I received it free in exchange for an honest review", "They gave me a gift card for a good review"],
    "test": ["The seller paid me for this review", "Got a full refund for my five star rating"],
}
_ABUSE = {
    "train": ["you are idiots", "the seller is a bastard", "fucking morons", "go to hell you scum"],
    "test": ["what a bunch of wankers", "this shithead sold me crap", "eat shit and die", "you stupid fucks"],
}
_SWEARS = ["damn good", "hell of a bargain", "bloody brilliant"]
_MENTIONS = [
    "model 4006381333931",
    "firmware v2.0.1",
    "my old one from 2015",
    "node.js runs on it",
    "it replaced a 100-240 adapter",
]


@dataclass(frozen=True, slots=True)
class Written:
    """A review. `kind`: `honest`, or what it is. `toxicity`: what the model says of it, where it was asked."""

    kind: str
    user: int
    product: int
    seller: int
    rating: int
    text: str
    verified: bool
    registered: datetime
    address: str
    at: datetime
    toxicity: float | None = None

    @property
    def bad(self) -> bool:
        return self.kind != "honest"


@dataclass
class World:
    """Makes reviews; `words`: `train` or `test`."""

    seed: int
    words: str = "test"
    made: list[Written] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._users = 0
        self._home: dict[int, str] = {}

    def reviews(self) -> list[Written]:
        """All of them, in the order in which they were written."""
        self._honest()
        for _ in range(60):
            self._one("advert", self._advert(), rating=5, old=False)
        self._copies()
        for _ in range(30):
            self._one("paid", f"{self._said(5)} {self._pick(_PAID[self.words])}.", rating=5)
        for _ in range(40):
            self._one(
                "abuse", f"{self._said(1)} {self._pick(_ABUSE[self.words])}!", rating=1, verified=self._chance(0.5)
            )
        for _ in range(6):
            self._ring()
        for _ in range(4):
            self._attack()
        return sorted(self.made, key=lambda one: (one.at, one.user, one.product))

    def _pick(self, words: list[str]) -> str:
        return self._random.choice(words)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _account(self) -> int:
        self._users += 1
        return self._users

    def _moment(self) -> datetime:
        return START + timedelta(days=30 * self._random.random())

    def _said(self, rating: int) -> str:
        words = _GOOD if rating >= 4 else _BAD if rating <= 2 else _SO_SO
        begins = self._pick(["Bought the {thing} for the {where}", "My {who} needed a {thing}", "A {thing} from here"])
        said = [begins, *self._random.sample(words, self._random.randint(2, 4))]
        return ". ".join(self._filled(one) for one in said) + "."

    def _filled(self, form: str) -> str:
        return form.format(
            thing=self._pick(_THINGS),
            part=self._pick(_PARTS),
            part2=self._pick(_PARTS),
            who=self._pick(_PEOPLE),
            where=self._pick(_PLACES),
            time=self._pick(_TIMES),
        )

    def _add(self, kind: str, user: int, text: str, rating: int, at: datetime, **more: object) -> None:
        product = int(str(more.get("product", self._random.randrange(240))))
        registered = (
            START - timedelta(days=self._random.randint(20, 900)) if more.get("old", True) else at - timedelta(hours=5)
        )
        address = str(more.get("address") or self._home.setdefault(user, f"home {user}"))
        self.made.append(
            Written(
                kind, user, product, product // 6, rating, text, bool(more.get("verified")), registered, address, at
            )
        )

    def _one(self, kind: str, text: str, *, rating: int, old: bool = True, verified: bool = False) -> None:
        self._add(kind, self._account(), text, rating, self._moment(), old=old, verified=verified)

    def _honest(self) -> None:
        shoppers = [self._account() for _ in range(900)]
        for first, second in zip(shoppers[::16], shoppers[1::16], strict=False):
            self._home[first] = self._home[second] = f"household {first}"
        for _ in range(1_800):
            rating = self._random.choices([1, 2, 3, 4, 5], [8, 6, 10, 26, 50])[0]
            text = self._said({1: 5, 5: 1}.get(rating, rating) if self._chance(0.05) else rating)
            text += f" {self._pick(_SWEARS)}." if rating == 5 and self._chance(0.04) else ""
            text += f" I mean {self._pick(_MENTIONS)}." if self._chance(1 / 30) else ""
            self._add(
                "honest", self._pick_shopper(shoppers), text, rating, self._moment(),
                verified=self._chance(0.75), old=self._chance(0.97),
            )  # fmt: skip
        for product in (17, 101):
            day = START + timedelta(days=20)
            for _ in range(25):
                at = day + timedelta(hours=20 * self._random.random())
                self._add("honest", self._account(), self._said(5), 5, at, product=product, verified=True)

    def _pick_shopper(self, shoppers: list[int]) -> int:
        return self._random.choice(shoppers)

    def _advert(self) -> str:
        form = self._pick(_LINKS[self.words] + _ADVERTS[self.words])
        name = self._pick(["star", "mega", "nova", "prime", "lux"])
        return f"{self._said(5)} {form.format(n=name, d=self._random.randint(10_000, 99_999))}"

    def _copies(self) -> None:
        for _ in range(5):
            text = " ".join(self._said(5) for _ in range(2))
            for _ in range(12):
                words = text.split()
                for _ in range(2):
                    words[self._random.randrange(len(words))] = self._pick(["really", "very", "truly", "quite"])
                self._one("copy", " ".join(words), rating=5)

    def _ring(self) -> None:
        seller, begins = self._random.randrange(40), START + timedelta(days=5 + 20 * self._random.random())
        addresses = [f"ring {self._users} {n}" for n in range(3)]
        for _ in range(10):
            user = self._account()
            for product in self._random.sample(range(seller * 6, seller * 6 + 6), 3):
                at = begins + timedelta(days=5 * self._random.random())
                self._add("ring", user, self._said(5), 5, at, product=product, address=self._pick(addresses))

    def _attack(self) -> None:
        product, begins = self._random.randrange(240), START + timedelta(days=5 + 20 * self._random.random())
        for _ in range(14):
            at = begins + timedelta(hours=6 * self._random.random())
            self._add("attack", self._account(), self._said(1), 1, at, product=product, old=False)


def facts_of(written: list[Written]) -> list[Facts]:
    """What the shop would have known of each when it was written: the counts of `api/reviews/judging/evidence.py`, over
    lists. `rejected_before` follows from the verdicts on earlier ones."""
    known: list[Facts] = []
    signed = [signature(one.text) for one in written]
    by_band: dict[int, list[int]] = {}
    rejected: Counter[int] = Counter()
    for place, one in enumerate(written):
        before = written[:place]
        mine = [other for other in before if other.user == one.user]
        others = [o for o in before if o.address == one.address and o.user != one.user and one.at - o.at < PLACES]
        own = signed[place]
        like = {other for band in bands(own) for other in by_band.get(band, ())} if own else set()
        alike = [written[n] for n in like if own and (theirs := signed[n]) and likeness(own, theirs) >= ALIKE]
        of_product = [other for other in before if other.product == one.product]
        lately = sum(one.at - other.at < timedelta(days=1) for other in of_product)
        earlier = sum(timedelta(days=1) <= one.at - other.at < timedelta(days=1) + USUAL for other in of_product)
        devoted = one.rating in (1, 5) and all((o.seller, o.rating) == (one.seller, one.rating) for o in mine)
        facts = Facts(
            rating=one.rating, text=one.text, language="en", shop_languages=("en", "de", "fr", "es"),
            verified=one.verified, account_age=one.at - one.registered, toxicity=one.toxicity,
            mood=mood(one.text, "en"),
            copies=len({o.user for o in alike} - {one.user}),
            own_copies=sum(o.user == one.user and o.product != one.product for o in alike),
            last_hour=sum(one.at - o.at < timedelta(hours=1) for o in mine),
            last_day=sum(one.at - o.at < timedelta(days=1) for o in mine),
            others_about_product=len({o.user for o in others if o.product == one.product}),
            others_about_seller=len({o.user for o in others if o.seller == one.seller}),
            burst=lately + 1, usual=earlier / USUAL.days,
            one_sided=len(mine) + 1 if mine and devoted else 0,
            rejected_before=rejected[one.user] if one.at - START < REJECTED else 0,
        )  # fmt: skip
        known.append(facts)
        rejected[one.user] += judge(facts, THRESHOLDS).decision == "reject"
        for band in bands(own) if own else ():
            by_band.setdefault(band, []).append(place)
    return known


def baseline(facts: Facts, exact_copies: int) -> Decision:
    """The stated baseline, as small as it can be: an undisguised link, an insult of a short list, or a text that stands
    there already."""
    plain = "http://" in facts.text or "https://" in facts.text or "www." in facts.text
    insults = any(
        word in facts.text.lower().split() for word in ("idiot", "idiots", "bastard", "moron", "morons", "scum")
    )
    return "queue" if plain or insults or exact_copies else "publish"


@dataclass(frozen=True, slots=True)
class Score:
    """How many of what is held back is bad, and how many of what is bad is held back."""

    precision: float
    recall: float
    by_kind: dict[str, float]


def scored(written: list[Written], held: list[bool]) -> Score:
    """Of verdicts on a world."""
    right = sum(one.bad and h for one, h in zip(written, held, strict=True))
    by_kind = {}
    for kind in KINDS:
        of_kind = [h for one, h in zip(written, held, strict=True) if one.kind == kind]
        by_kind[kind] = round(sum(of_kind) / len(of_kind), 3)
    return Score(round(right / max(1, sum(held)), 3), round(right / sum(one.bad for one in written), 3), by_kind)


def verdicts(written: list[Written]) -> list[Verdict]:
    """What the rules say of each when it is written."""
    return [judge(facts, THRESHOLDS) for facts in facts_of(written)]


def suspected(written: list[Written]) -> list[bool]:
    """What the mart `fct_review_suspicions` finds among them, by its own SQL."""
    sql = re.sub(r"\{\{ config.*?\}\}\n", "", MART.read_text(encoding="utf-8"), flags=re.DOTALL)
    sql = sql.replace("{{ ref('int_reviews__traced') }}", "traced")
    with duckdb.connect() as lake:
        lake.execute(
            "create table traced (review_id varchar, user_id varchar, product_id varchar, seller_id varchar,"
            " is_praise boolean, is_verified boolean, created_at timestamptz, address varchar, device varchar,"
            " is_of_new_account boolean)"
        )
        rows = [
            (
                str(n), str(one.user), str(one.product), str(one.seller), one.rating >= 4, one.verified, one.at,
                one.address, None, one.at - one.registered < timedelta(days=7),
            )
            for n, one in enumerate(written)
            if one.rating != 3
        ]  # fmt: skip
        lake.executemany("insert into traced values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        found = {row[0] for row in lake.execute(sql).fetchall()}
    return [str(n) in found for n in range(len(written))]

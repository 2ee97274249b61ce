"""The vocabulary of the marketplace: departments, kinds of products with their projects, and the words of titles.

A project groups kinds that are bought together: a tent, a sleeping bag and a stove are three
kinds of one project, in two departments.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of product. `low` to `high` is its usual price in currency units; `options` names the variant matrix."""

    department: str
    category: str
    noun: str
    projects: tuple[str, ...]
    low: float
    high: float
    options: str = "colour"


def _lists(text: str) -> dict[str, tuple[str, ...]]:
    """`name: a, b, c` per line."""
    pairs = (line.strip().split(": ", 1) for line in text.strip().splitlines())
    return {name: tuple(values.split(", ")) for name, values in pairs}


def _kinds(text: str) -> tuple[Kind, ...]:
    """A line `== department / category`, then `noun | projects | low | high | options` per kind."""
    kinds: list[Kind] = []
    department = category = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("=="):
            department, category = line.removeprefix("== ").split(" / ")
            continue
        noun, projects, low, high, options = line.split(" | ")
        kinds.append(Kind(department, category, noun, tuple(projects.split()), float(low), float(high), options))
    return tuple(kinds)


FEATURES: dict[str, tuple[str, ...]] = _lists(
    """
    Outdoors: Ultralight, Waterproof, Insulated, Packable, Rugged, All-Season, Windproof, Compact, Reinforced, Trail
    Kitchen: Stainless Steel, Cast Iron, Ceramic, Non-Stick, Bamboo, Enamelled, Copper-Bottom, Glass, Silicone, Carbon Steel
    Home: Linen, Oak, Walnut, Woven, Velvet, Rattan, Brushed Brass, Matte, Handmade, Washed Cotton
    Electronics: Wireless, Noise-Cancelling, 4K, USB-C, Low-Latency, Slim, Bluetooth, Fast-Charging, Aluminium, Backlit
    Garden: Galvanised, Cedar, Self-Watering, Frost-Proof, Telescopic, Organic, Heavy-Duty, Ergonomic, Solar, Folding
    Sports: Training, Pro, Cushioned, Breathable, Adjustable, Lightweight, Competition, Grip, Recovery, Seamless
    Baby & Kids: Organic Cotton, Wooden, Soft, Washable, Foldable, Natural, Rainbow, Quiet, Grow-With-Me, Padded
    Office: Ergonomic, Height-Adjustable, Recycled, Magnetic, Leather, Quiet, Dotted, Modular, Refillable, Anti-Glare
    Beauty: Fragrance-Free, Vitamin C, Hydrating, Oat, Charcoal, Rose, Gentle, Overnight, Mineral, Nourishing
    Tools: Cordless, Brushless, Impact, Precision, Insulated, Hardened, Compact, Ratcheting, Titanium, Laser
    """
)
BRANDS: dict[str, tuple[str, ...]] = _lists(
    """
    Outdoors: Northpeak, Fellwander, Cairn & Co, Trailborn, Alder Ridge, Wildhaven
    Kitchen: Brasserie Nine, Hearthwell, Olivar, Kettle & Oak, Marlow, Copperline
    Home: Lindgate, Hollis House, Nestory, Wrenfield, Casa Tilda, Stillroom
    Electronics: Voltaro, Auralis, Pixelane, Nimbit, Corewave, Lumeon
    Garden: Greenhithe, Potter's Row, Mossbank, Verdance, Thornleigh, Sundial
    Sports: Striden, Kinetra, Peakform, Velocita, Ironbay, Swiftline
    Baby & Kids: Little Otter, Pebble & Pip, Tinkerwood, Moonmilk, Hopscotch, Bramble Bear
    Office: Deskwright, Papermill, Foliant, Studio Grid, Quillon, Workhaus
    Beauty: Saltmarsh, Petalune, Dermalie, Clayborne, Aqua Verde, Honeyroot
    Tools: Hardacre, Torqline, Millstone, Axle & Beam, Boltworks, Granger
    """
)
SERIES = (
    *(
        "Aspen",
        "Atlas",
        "Aurora",
        "Bay",
        "Birch",
        "Breeze",
        "Cedar",
        "Cove",
        "Crest",
        "Dawn",
        "Delta",
        "Drift",
        "Dune",
        "Echo",
        "Ember",
    ),
    *(
        "Fern",
        "Fjord",
        "Glen",
        "Harbor",
        "Hazel",
        "Horizon",
        "Indigo",
        "Isle",
        "Juniper",
        "Lark",
        "Laurel",
        "Loch",
        "Lumen",
        "Maple",
    ),
    *(
        "Meadow",
        "Mesa",
        "Mira",
        "Moss",
        "Nova",
        "Oakley",
        "Orchard",
        "Pine",
        "Prairie",
        "Quarry",
        "Raven",
        "Reef",
        "Ridge",
        "River",
    ),
    *(
        "Rowan",
        "Sage",
        "Sierra",
        "Slate",
        "Solace",
        "Sparrow",
        "Summit",
        "Terra",
        "Thistle",
        "Tide",
        "Vale",
        "Willow",
        "Zephyr",
    ),
)
COLOURS = ("Black", "Slate Grey", "Forest Green", "Navy", "Sand", "Terracotta", "Ivory", "Plum", "Sky Blue", "Mustard")
OPTIONS: dict[str, tuple[str, ...]] = {
    "colour": COLOURS,
    "size": ("S", "M", "L", "XL"),
    "capacity": ("0.5 l", "1 l", "1.5 l", "2 l"),
    "pack": ("Single", "Pack of 2", "Pack of 4", "Pack of 6"),
}
PEOPLE_FIRST = (
    *(
        "Amara",
        "Ben",
        "Carla",
        "Dmitri",
        "Elena",
        "Farid",
        "Grace",
        "Hugo",
        "Ines",
        "Jonas",
        "Keiko",
        "Liam",
        "Maya",
        "Noor",
        "Oscar",
    ),
    *("Priya", "Quinn", "Rosa", "Samuel", "Tara", "Umar", "Vera", "Wanda", "Xavier", "Yusuf", "Zoe"),
)
PEOPLE_LAST = (
    *(
        "Abbott",
        "Bauer",
        "Castillo",
        "Dubois",
        "Eriksen",
        "Fischer",
        "Garcia",
        "Hughes",
        "Ito",
        "Jensen",
        "Kowalski",
        "Lopez",
        "Mensah",
    ),
    *(
        "Nakamura",
        "Okafor",
        "Patel",
        "Quinlan",
        "Rossi",
        "Schmidt",
        "Tanaka",
        "Usman",
        "Vargas",
        "Weber",
        "Young",
        "Zhang",
    ),
)
SELLER_SECOND = (
    "Trading",
    "Supply Co",
    "Goods",
    "Direct",
    "Outfitters",
    "Market",
    "Store",
    "Collective",
    "& Sons",
    "Warehouse",
)
KINDS: tuple[Kind, ...] = _kinds(
    """
    == Outdoors / Camping
    2-Person Tent | camping | 90 | 320 | colour
    Sleeping Bag | camping | 45 | 180 | colour
    Camping Stove | camping cookout | 25 | 110 | colour
    Sleeping Mat | camping | 20 | 120 | colour
    Cool Box | camping picnic | 25 | 140 | colour
    == Outdoors / Hiking
    Hiking Backpack | hiking camping | 50 | 220 | colour
    Trekking Poles | hiking | 25 | 110 | colour
    Headlamp | camping running hiking | 15 | 70 | colour
    Rain Jacket | hiking cycling | 45 | 210 | size
    Water Bottle | hiking gym school | 9 | 35 | capacity
    == Kitchen / Cookware
    Frying Pan | cooking | 22 | 95 | colour
    Dutch Oven | cooking baking | 45 | 230 | colour
    Saucepan | cooking | 18 | 85 | capacity
    Wok | cooking | 25 | 90 | colour
    Griddle Plate | cookout cooking | 30 | 95 | colour
    == Kitchen / Baking
    Mixing Bowl Set | baking | 15 | 60 | colour
    Loaf Tin | baking | 8 | 28 | pack
    Rolling Pin | baking | 8 | 32 | colour
    Cake Stand | baking party | 15 | 55 | colour
    Kitchen Scale | baking coffee | 14 | 60 | colour
    == Kitchen / Coffee & Tea
    Pour-Over Dripper | coffee | 12 | 48 | colour
    Burr Coffee Grinder | coffee | 35 | 210 | colour
    Gooseneck Kettle | coffee tea | 32 | 150 | capacity
    Espresso Cups | coffee | 12 | 45 | pack
    Teapot | tea | 16 | 65 | capacity
    == Kitchen / Tableware
    Dinner Plates | dining | 18 | 80 | pack
    Wine Glasses | dining party | 14 | 70 | pack
    Cutlery Set | dining | 25 | 130 | colour
    Picnic Blanket | picnic | 18 | 60 | colour
    Lunch Box | school picnic | 10 | 38 | colour
    == Home / Bedding
    Duvet Cover | bedroom | 30 | 130 | size
    Pillow | bedroom | 15 | 80 | pack
    Bedspread | bedroom | 40 | 160 | colour
    Mattress Topper | bedroom | 60 | 240 | size
    == Home / Living Room
    Throw Cushion | livingroom | 12 | 50 | colour
    Table Lamp | livingroom bedroom | 25 | 140 | colour
    Area Rug | livingroom | 50 | 320 | colour
    Side Table | livingroom | 40 | 220 | colour
    Floor Vase | livingroom plants | 20 | 95 | colour
    == Home / Bath
    Bath Towel Set | bathroom | 18 | 75 | colour
    Shower Curtain | bathroom | 12 | 45 | colour
    Bath Mat | bathroom | 10 | 42 | colour
    Soap Dispenser | bathroom | 9 | 32 | colour
    == Electronics / Audio
    Headphones | music travel homeoffice | 40 | 340 | colour
    Portable Speaker | music party | 25 | 190 | colour
    Turntable | music | 90 | 420 | colour
    Earbuds | running music travel | 25 | 210 | colour
    == Electronics / Computing
    Mechanical Keyboard | homeoffice gaming | 45 | 190 | colour
    Optical Mouse | homeoffice gaming | 15 | 95 | colour
    27-Inch Monitor | homeoffice gaming | 140 | 520 | colour
    Laptop Stand | homeoffice | 18 | 80 | colour
    Webcam | homeoffice | 28 | 160 | colour
    == Electronics / Travel Tech
    Power Bank | travel camping | 18 | 90 | colour
    Travel Adapter | travel | 12 | 45 | colour
    Charging Cable | travel homeoffice | 7 | 28 | pack
    Luggage Tracker | travel | 15 | 48 | pack
    == Garden / Growing
    Raised Bed | vegetables | 40 | 180 | colour
    Seed Starter Kit | vegetables | 12 | 45 | pack
    Plant Pot | plants | 8 | 60 | colour
    Potting Trowel | vegetables plants | 8 | 28 | colour
    Watering Can | plants vegetables | 12 | 48 | capacity
    == Garden / Outdoor Living
    Charcoal Grill | cookout | 60 | 340 | colour
    Grill Tongs | cookout | 9 | 32 | colour
    String Lights | party | 14 | 55 | pack
    Garden Chair | patio | 35 | 170 | colour
    Patio Umbrella | patio | 45 | 210 | colour
    Fire Pit | patio cookout | 70 | 290 | colour
    == Sports / Running
    Running Shoes | running | 55 | 190 | size
    Running Belt | running | 12 | 38 | size
    Running Shorts | running gym | 20 | 60 | size
    GPS Watch | running cycling | 110 | 480 | colour
    == Sports / Fitness
    Yoga Mat | yoga | 18 | 95 | colour
    Yoga Block | yoga | 8 | 28 | pack
    Foam Roller | yoga gym | 14 | 55 | colour
    Dumbbell Pair | gym | 25 | 180 | colour
    Resistance Bands | gym yoga | 10 | 42 | pack
    Kettlebell | gym | 22 | 110 | colour
    == Sports / Cycling
    Bike Helmet | cycling | 30 | 170 | size
    Bike Light Set | cycling | 15 | 85 | colour
    Cycling Gloves | cycling | 14 | 50 | size
    Bike Lock | cycling | 18 | 95 | colour
    Bottle Cage | cycling | 8 | 32 | colour
    == Baby & Kids / Nursery
    Cot Sheet | nursery | 12 | 38 | pack
    Night Light | nursery | 14 | 52 | colour
    Changing Mat | nursery | 18 | 65 | colour
    Baby Blanket | nursery | 15 | 60 | colour
    == Baby & Kids / Toys
    Building Blocks | play | 15 | 70 | colour
    Train Set | play | 25 | 110 | colour
    Puzzle | play | 9 | 32 | colour
    Plush Bear | play nursery | 12 | 45 | colour
    == Baby & Kids / School
    School Backpack | school | 22 | 80 | colour
    Pencil Case | school | 7 | 24 | colour
    Art Set | school play | 12 | 48 | colour
    == Office / Furniture
    Desk Chair | homeoffice | 90 | 420 | colour
    Standing Desk | homeoffice | 180 | 620 | colour
    Desk Lamp | homeoffice | 22 | 120 | colour
    Monitor Arm | homeoffice | 35 | 160 | colour
    == Office / Stationery
    Notebook | journaling school | 7 | 28 | colour
    Fountain Pen | journaling | 18 | 150 | colour
    Ink Bottle | journaling | 8 | 30 | colour
    Desk Organiser | homeoffice journaling | 14 | 60 | colour
    == Beauty / Skin Care
    Face Serum | skincare | 14 | 75 | pack
    Moisturiser | skincare | 12 | 65 | pack
    Cleansing Balm | skincare | 11 | 48 | pack
    Sun Lotion | skincare hiking | 9 | 34 | pack
    Clay Mask | skincare | 10 | 42 | pack
    == Beauty / Bath & Body
    Bath Salts | bathroom skincare | 9 | 35 | pack
    Body Scrub | bathroom skincare | 10 | 38 | pack
    Hand Cream | skincare | 6 | 24 | pack
    == Tools / Power Tools
    Drill Driver | diy | 50 | 240 | colour
    Circular Saw | woodwork | 65 | 290 | colour
    Orbital Sander | woodwork | 40 | 160 | colour
    Jigsaw | woodwork diy | 45 | 180 | colour
    == Tools / Hand Tools
    Screwdriver Set | diy | 14 | 70 | colour
    Claw Hammer | diy woodwork | 12 | 48 | colour
    Tape Measure | diy woodwork | 7 | 30 | colour
    Spirit Level | diy | 10 | 60 | colour
    Wood Chisel Set | woodwork | 22 | 110 | colour
    Safety Glasses | woodwork diy | 8 | 32 | pack
    """
)
PROJECTS: tuple[str, ...] = tuple(sorted({project for kind in KINDS for project in kind.projects}))
# Where shoppers live: city, state, postal code.
PLACES = (
    ("Seattle", "WA", "98101"),
    ("Los Angeles", "CA", "90012"),
    ("Dallas", "TX", "75201"),
    ("Chicago", "IL", "60601"),
    ("Atlanta", "GA", "30303"),
    ("Newark", "NJ", "07102"),
)

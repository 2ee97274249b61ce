"""The warehouses of the generated marketplace: 108 cities, each near one of the six places in which shoppers live.

Warehouse `hub + len(PLACES) * n` is in the region of place `hub`; the first six are in the places themselves.
"""

from dataclasses import dataclass

from api.operations.load.marketplace.words import PLACES

# Code, city, latitude, longitude, time zone; a block for each of PLACES, in their order.
_REGIONS = (
    """
    SEA | Seattle | 47.6062 | -122.3321 | America/Los_Angeles
    PDX | Portland | 45.5152 | -122.6784 | America/Los_Angeles
    GEG | Spokane | 47.6588 | -117.4260 | America/Los_Angeles
    BOI | Boise | 43.6150 | -116.2023 | America/Boise
    EUG | Eugene | 44.0521 | -123.0868 | America/Los_Angeles
    BIL | Billings | 45.7833 | -108.5007 | America/Denver
    MSO | Missoula | 46.8721 | -113.9940 | America/Denver
    PSC | Pasco | 46.2396 | -119.1006 | America/Los_Angeles
    MFR | Medford | 42.3265 | -122.8756 | America/Los_Angeles
    IDA | Idaho Falls | 43.4917 | -112.0339 | America/Boise
    GTF | Great Falls | 47.5053 | -111.3008 | America/Denver
    TIW | Tacoma | 47.2529 | -122.4443 | America/Los_Angeles
    BLI | Bellingham | 48.7519 | -122.4787 | America/Los_Angeles
    YKM | Yakima | 46.6021 | -120.5059 | America/Los_Angeles
    RDM | Bend | 44.0582 | -121.3153 | America/Los_Angeles
    ANC | Anchorage | 61.2181 | -149.9003 | America/Anchorage
    SLE | Salem | 44.9429 | -123.0351 | America/Los_Angeles
    BTM | Butte | 46.0038 | -112.5348 | America/Denver
    """,
    """
    LAX | Los Angeles | 34.0522 | -118.2437 | America/Los_Angeles
    SFO | San Francisco | 37.7749 | -122.4194 | America/Los_Angeles
    SAN | San Diego | 32.7157 | -117.1611 | America/Los_Angeles
    PHX | Phoenix | 33.4484 | -112.0740 | America/Phoenix
    LAS | Las Vegas | 36.1699 | -115.1398 | America/Los_Angeles
    SMF | Sacramento | 38.5816 | -121.4944 | America/Los_Angeles
    SJC | San Jose | 37.3382 | -121.8863 | America/Los_Angeles
    FAT | Fresno | 36.7378 | -119.7871 | America/Los_Angeles
    TUS | Tucson | 32.2226 | -110.9747 | America/Phoenix
    SLC | Salt Lake City | 40.7608 | -111.8910 | America/Denver
    RNO | Reno | 39.5296 | -119.8138 | America/Los_Angeles
    DEN | Denver | 39.7392 | -104.9903 | America/Denver
    ABQ | Albuquerque | 35.0844 | -106.6504 | America/Denver
    COS | Colorado Springs | 38.8339 | -104.8214 | America/Denver
    BFL | Bakersfield | 35.3733 | -119.0187 | America/Los_Angeles
    ONT | Ontario | 34.0633 | -117.6509 | America/Los_Angeles
    OAK | Oakland | 37.8044 | -122.2712 | America/Los_Angeles
    HNL | Honolulu | 21.3069 | -157.8583 | Pacific/Honolulu
    """,
    """
    DFW | Dallas | 32.7767 | -96.7970 | America/Chicago
    IAH | Houston | 29.7604 | -95.3698 | America/Chicago
    SAT | San Antonio | 29.4241 | -98.4936 | America/Chicago
    AUS | Austin | 30.2672 | -97.7431 | America/Chicago
    OKC | Oklahoma City | 35.4676 | -97.5164 | America/Chicago
    TUL | Tulsa | 36.1540 | -95.9928 | America/Chicago
    ELP | El Paso | 31.7619 | -106.4850 | America/Denver
    MSY | New Orleans | 29.9511 | -90.0715 | America/Chicago
    LIT | Little Rock | 34.7465 | -92.2896 | America/Chicago
    SHV | Shreveport | 32.5252 | -93.7502 | America/Chicago
    LBB | Lubbock | 33.5779 | -101.8552 | America/Chicago
    AMA | Amarillo | 35.2220 | -101.8313 | America/Chicago
    CRP | Corpus Christi | 27.8006 | -97.3964 | America/Chicago
    BTR | Baton Rouge | 30.4515 | -91.1871 | America/Chicago
    ICT | Wichita | 37.6872 | -97.3301 | America/Chicago
    XNA | Fayetteville | 36.0626 | -94.1574 | America/Chicago
    LRD | Laredo | 27.5306 | -99.4803 | America/Chicago
    JAN | Jackson | 32.2988 | -90.1848 | America/Chicago
    """,
    """
    ORD | Chicago | 41.8781 | -87.6298 | America/Chicago
    IND | Indianapolis | 39.7684 | -86.1581 | America/Indiana/Indianapolis
    MKE | Milwaukee | 43.0389 | -87.9065 | America/Chicago
    MSP | Minneapolis | 44.9778 | -93.2650 | America/Chicago
    STL | St. Louis | 38.6270 | -90.1994 | America/Chicago
    MCI | Kansas City | 39.0997 | -94.5786 | America/Chicago
    DTW | Detroit | 42.3314 | -83.0458 | America/Detroit
    CLE | Cleveland | 41.4993 | -81.6944 | America/New_York
    CMH | Columbus | 39.9612 | -82.9988 | America/New_York
    CVG | Cincinnati | 39.1031 | -84.5120 | America/New_York
    DSM | Des Moines | 41.5868 | -93.6250 | America/Chicago
    OMA | Omaha | 41.2565 | -95.9345 | America/Chicago
    MSN | Madison | 43.0731 | -89.4012 | America/Chicago
    GRR | Grand Rapids | 42.9634 | -85.6681 | America/Detroit
    FSD | Sioux Falls | 43.5446 | -96.7311 | America/Chicago
    FAR | Fargo | 46.8772 | -96.7898 | America/Chicago
    FWA | Fort Wayne | 41.0793 | -85.1394 | America/Indiana/Indianapolis
    PIA | Peoria | 40.6936 | -89.5890 | America/Chicago
    """,
    """
    ATL | Atlanta | 33.7490 | -84.3880 | America/New_York
    MIA | Miami | 25.7617 | -80.1918 | America/New_York
    MCO | Orlando | 28.5383 | -81.3792 | America/New_York
    TPA | Tampa | 27.9506 | -82.4572 | America/New_York
    JAX | Jacksonville | 30.3322 | -81.6557 | America/New_York
    CLT | Charlotte | 35.2271 | -80.8431 | America/New_York
    RDU | Raleigh | 35.7796 | -78.6382 | America/New_York
    BNA | Nashville | 36.1627 | -86.7816 | America/Chicago
    MEM | Memphis | 35.1495 | -90.0490 | America/Chicago
    BHM | Birmingham | 33.5186 | -86.8104 | America/Chicago
    CHS | Charleston | 32.7765 | -79.9311 | America/New_York
    SAV | Savannah | 32.0809 | -81.0912 | America/New_York
    GSO | Greensboro | 36.0726 | -79.7920 | America/New_York
    TYS | Knoxville | 35.9606 | -83.9207 | America/New_York
    HSV | Huntsville | 34.7304 | -86.5861 | America/Chicago
    MOB | Mobile | 30.6954 | -88.0399 | America/Chicago
    CAE | Columbia | 34.0007 | -81.0348 | America/New_York
    SDF | Louisville | 38.2527 | -85.7585 | America/Kentucky/Louisville
    """,
    """
    EWR | Newark | 40.7357 | -74.1724 | America/New_York
    PHL | Philadelphia | 39.9526 | -75.1652 | America/New_York
    BOS | Boston | 42.3601 | -71.0589 | America/New_York
    BWI | Baltimore | 39.2904 | -76.6122 | America/New_York
    DCA | Washington | 38.9072 | -77.0369 | America/New_York
    PIT | Pittsburgh | 40.4406 | -79.9959 | America/New_York
    BUF | Buffalo | 42.8864 | -78.8784 | America/New_York
    ALB | Albany | 42.6526 | -73.7562 | America/New_York
    BDL | Hartford | 41.7658 | -72.6734 | America/New_York
    PVD | Providence | 41.8240 | -71.4128 | America/New_York
    ROC | Rochester | 43.1566 | -77.6088 | America/New_York
    SYR | Syracuse | 43.0481 | -76.1474 | America/New_York
    RIC | Richmond | 37.5407 | -77.4360 | America/New_York
    ORF | Norfolk | 36.8508 | -76.2859 | America/New_York
    MHT | Manchester | 42.9956 | -71.4548 | America/New_York
    PWM | Portland | 43.6591 | -70.2568 | America/New_York
    ABE | Allentown | 40.6023 | -75.4714 | America/New_York
    MDT | Harrisburg | 40.2732 | -76.8867 | America/New_York
    """,
)


@dataclass(frozen=True, slots=True)
class City:
    code: str
    city: str
    latitude: float
    longitude: float
    time_zone: str


def _cities() -> tuple[City, ...]:
    regions = [[_city(line) for line in region.strip().splitlines()] for region in _REGIONS]
    return tuple(city for row in zip(*regions, strict=True) for city in row)


def _city(line: str) -> City:
    code, city, latitude, longitude, time_zone = line.strip().split(" | ")
    return City(f"US-{code}", city, float(latitude), float(longitude), time_zone)


CITIES = _cities()


def warehouse_key(hub: int, variant: int) -> int:
    """The warehouse of the variant with this number: one in the region of place `hub`."""
    return hub + len(PLACES) * (variant % (len(CITIES) // len(PLACES)))

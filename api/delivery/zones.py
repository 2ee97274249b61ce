"""How far a parcel goes: distances between a warehouse and the middle of a state or country, in zones."""

from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from typing import Literal

from api.delivery.places import Place

Zone = Literal["local", "regional", "national", "international"]
# From the nearest to the farthest.
ZONES: tuple[Zone, ...] = ("local", "regional", "national", "international")
LOCAL_KM, REGIONAL_KM = 400.0, 1_500.0
_EARTH_KM = 6_371.0
# The middle of each state of the United States and of some countries, in degrees, to a tenth: what is known of an
# address before its street is looked up.
_STATES = """
AL 32.8 -86.8|AK 64.2 -152.5|AZ 34.3 -111.7|AR 34.9 -92.4|CA 37.2 -119.3|CO 39.0 -105.5|CT 41.6 -72.7|DE 39.0 -75.5
DC 38.9 -77.0|FL 28.6 -82.4|GA 32.6 -83.4|HI 20.3 -156.4|ID 44.4 -114.6|IL 40.0 -89.2|IN 39.9 -86.3|IA 42.1 -93.5
KS 38.5 -98.4|KY 37.5 -85.3|LA 31.1 -92.0|ME 45.4 -69.2|MD 39.1 -76.8|MA 42.3 -71.8|MI 44.3 -85.4|MN 46.3 -94.3
MS 32.7 -89.7|MO 38.4 -92.5|MT 47.1 -109.6|NE 41.5 -99.8|NV 39.3 -116.6|NH 43.7 -71.6|NJ 40.2 -74.7|NM 34.4 -106.1
NY 42.9 -75.6|NC 35.6 -79.4|ND 47.5 -100.5|OH 40.3 -82.8|OK 35.6 -97.5|OR 43.9 -120.6|PA 40.9 -77.8|RI 41.7 -71.6
SC 33.9 -80.9|SD 44.4 -100.2|TN 35.9 -86.4|TX 31.5 -99.3|UT 39.3 -111.7|VT 44.1 -72.7|VA 37.5 -78.9|WA 47.4 -120.4
WV 38.6 -80.6|WI 44.6 -90.0|WY 43.0 -107.6
"""
_COUNTRIES = """
AT 47.6 14.1|BE 50.6 4.6|CZ 49.8 15.5|DE 51.2 10.4|DK 56.0 10.0|ES 40.3 -3.7|FI 64.3 26.3|FR 46.6 2.5|GB 54.0 -2.5
GR 39.1 22.9|HK 22.4 114.1|IE 53.2 -8.2|IT 42.8 12.1|JP 36.5 138.5|LU 49.8 6.1|NL 52.2 5.6|NO 64.6 13.0|NZ -41.8 172.8
PL 52.1 19.4|PT 39.6 -8.5|SE 62.8 16.7|SG 1.35 103.8|CH 46.8 8.2
"""


def _points(table: str) -> dict[str, tuple[float, float]]:
    entries = (entry.split() for line in table.split("\n") for entry in line.split("|") if entry)
    return {name: (float(latitude), float(longitude)) for name, latitude, longitude in entries}


_OF_STATE, _OF_COUNTRY = _points(_STATES), _points(_COUNTRIES)


def point_of(place: Place) -> tuple[float, float] | None:
    """Latitude and longitude; None where only the country is known, and it is large."""
    if place.country == "US":
        return _OF_STATE.get(place.region or "")
    return _OF_COUNTRY.get(place.country)


@lru_cache(maxsize=10_000)
def kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The distance of two points on the ground."""
    (north, east), (north_2, east_2) = (map(radians, point) for point in (one, other))
    half = sin((north_2 - north) / 2) ** 2 + cos(north) * cos(north_2) * sin((east_2 - east) / 2) ** 2
    return 2 * _EARTH_KM * asin(sqrt(half))


def zone_of(country: str, point: tuple[float, float], place: Place) -> Zone:
    """The zone of a place, seen from a warehouse."""
    if country != place.country:
        return "international"
    there = point_of(place)
    if there is None:
        return "national"
    distance = kilometres(point, there)
    if distance <= LOCAL_KM:
        return "local"
    return "regional" if distance <= REGIONAL_KM else "national"


def farthest(*zones: Zone) -> Zone:
    return max(zones, key=ZONES.index)

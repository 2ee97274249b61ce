"""Where the stock of the generated marketplace is."""

from datetime import datetime
from zoneinfo import ZoneInfo

from api.delivery.places import Place
from api.delivery.zones import kilometres, point_of
from api.operations.load.marketplace.warehouses import CITIES, warehouse_key
from api.operations.load.marketplace.words import PLACES


def test_each_city_is_where_it_says() -> None:
    """Six of every row are in the regions of the six places, in their order; clocks agree with longitudes."""
    assert len({city.code for city in CITIES}) == len(CITIES) == 108
    assert [city.city for city in CITIES[:6]] == [place for place, _, _ in PLACES]
    states = [point_of(Place("US", state)) for _, state, _ in PLACES]
    for key, city in enumerate(CITIES):
        middle = states[key % 6]
        assert middle is not None
        far = city.code in {"US-ANC", "US-HNL"}
        assert kilometres((city.latitude, city.longitude), middle) < (4_500 if far else 1_700), city
        offset = datetime(2026, 1, 15, tzinfo=ZoneInfo(city.time_zone)).utcoffset()
        assert offset is not None
        assert abs(offset.total_seconds() / 3_600 - city.longitude / 15) < 1.3, city


def test_the_variants_of_a_place_are_in_all_warehouses_of_its_region() -> None:
    for hub in range(6):
        found = [warehouse_key(hub, number) for number in range(36)]
        assert sorted(set(found)) == list(range(hub, 108, 6))
        assert found[:18] == found[18:]

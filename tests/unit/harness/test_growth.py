"""The exponent of cost over length, and the interval that says how sure it is."""

import numpy as np
import pytest

from tests.benchmarks.cdc_growth import growth

LENGTHS = (100, 500, 2_500)


def costs(exponent: float, noise: float) -> list[list[float]]:
    """320 rounds on a machine that becomes twice as slow meanwhile."""
    rng, drift = np.random.default_rng(3), np.linspace(0.01, 0.02, 320)
    return [list(drift * length**exponent * rng.lognormal(0, noise, 320)) for length in LENGTHS]


@pytest.mark.parametrize("exponent", [0.0, 0.05, 1.0])
def test_the_exponent_is_found_whatever_else_the_machine_does(exponent: float) -> None:
    assert growth(LENGTHS, costs(exponent, 0)).exponent == pytest.approx(exponent, abs=1e-9)


def test_the_interval_holds_the_truth_and_excludes_another_exponent() -> None:
    found = growth(LENGTHS, costs(0.05, 0.2))
    assert found.low < 0.05 < found.high
    assert found.low > 0, "a cost that grows is told from one that does not"
    assert 0 < found.high - found.low < 0.05


def test_one_lake_measured_while_it_grows_would_show_the_machine_instead() -> None:
    """Negative control: how the figure was computed before, on the costs of lakes that do not grow dearer."""
    [alone, *_] = costs(0, 0)
    windows = [sum(alone[at : at + 80]) / 80 for at in range(0, 320, 80)]
    exponent = float(np.polyfit(np.log([40, 120, 200, 280]), np.log(windows), 1)[0])
    assert exponent > 0.2

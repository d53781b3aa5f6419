"""The loudest places: one of each unit, near the highest, and no more than a few."""

from cmaf.timeline import UNIT_TICKS
from meter.true_peak import PLACE_SAMPLES
from model.loudest import NEAR_DB, PLACES_MAX, PLACES_PER_UNIT, loudest


def test_a_unit_is_that_of_the_timeline() -> None:
    """Counted in places of the meter."""
    assert PLACES_PER_UNIT * PLACE_SAMPLES == UNIT_TICKS


def test_the_highest_of_each_unit_that_is_near_the_highest() -> None:
    """In their order."""
    places = {3: -2.0, 14: -1.5, 15: -1.2, 40: -2.3, 100: -2.0 - NEAR_DB, 7: -1.6}
    assert loudest(places) == ((14, -1.5), (15, -1.2))
    assert loudest({}) == ()


def test_of_many_that_are_as_high_the_first_are_taken() -> None:
    """Also where rounding moved them apart."""
    places = {number * PLACES_PER_UNIT + 1: -1.0 + 1e-5 * number for number in range(20)}
    assert [place for place, _ in loudest(places)] == [number * PLACES_PER_UNIT + 1 for number in range(PLACES_MAX)]

"""When to mend once more: as long as it helps."""

from packager.mend import FEW_PLACES, MENDS_MAX, PATIENT_MENDS, helps


def test_a_few_times_it_may_get_worse() -> None:
    """But nothing is mended where nothing is too high."""
    assert all(helps(again, 90, 10) for again in range(PATIENT_MENDS))
    assert not helps(0, 0, 0)


def test_then_most_of_it_must_be_gone() -> None:
    """What is left are a few places, of many a quarter; and it ends."""
    assert helps(PATIENT_MENDS, FEW_PLACES, 5)
    assert not helps(PATIENT_MENDS, FEW_PLACES + 1, 5)
    assert helps(PATIENT_MENDS, 10, 40)
    assert not helps(PATIENT_MENDS, 11, 40)
    assert helps(MENDS_MAX - 1, 1, 40)
    assert not helps(MENDS_MAX, 1, 40)

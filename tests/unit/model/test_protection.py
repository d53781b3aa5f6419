"""What a record may say of keys."""

from dataclasses import replace

import pytest

from model.protection import Protection, ProtectionMethod
from tests.unit.manifests.samples import LADDER, coded, cut, package_of

GOOD = Protection(method=ProtectionMethod.AES_128, key_set="a" * 16, key_id="b" * 26)


@pytest.mark.parametrize("change", [{"key_set": "x"}, {"key_id": "UPPER" * 4}, {"rotation_segments": -1}])
def test_protection_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    """As a record from a store might have it."""
    with pytest.raises(ValueError, match=r"malformed|at least"):
        replace(GOOD, **change)  # type: ignore[arg-type]  # one field at a time


def test_periods_are_runs_of_segments() -> None:
    """Without rotation there is one."""
    assert [GOOD.period_of(index) for index in (0, 1, 99)] == [0, 0, 0]
    rotating = replace(GOOD, rotation_segments=3)
    assert [rotating.period_of(index) for index in (0, 2, 3, 5, 6)] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("other", [None, replace(GOOD, key_set="c" * 16), replace(GOOD, rotation_segments=1)])
def test_a_package_is_protected_in_one_manner(other: Protection | None) -> None:
    """Each rendition has its own key id; all else is the same for all."""
    one, two = (replace(coded(each, cut(480_000)), protection=GOOD) for each in LADDER[:2])
    assert package_of([one, replace(two, protection=replace(GOOD, key_id="c" * 26))]).protection == GOOD
    with pytest.raises(ValueError, match="one manner"):
        package_of([one, replace(two, protection=other)])

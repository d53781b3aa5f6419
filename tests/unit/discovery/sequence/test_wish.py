"""The names of stations say what they play."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.sequence.wish import STATION_ID_MAX, Wish, station_id_of, wish_of
from tests.unit.discovery.sequence.catalogue import track_id

ONE, TWO, THREE = (track_id(number) for number in range(3))


@pytest.mark.parametrize(
    "wish",
    [
        Wish(track_ids=(ONE,)),
        Wish(track_ids=(ONE, TWO)),
        Wish(artist_ids=(ONE,), energy=0.8),
        Wish(genres=("Drum & Bass",), tempo_bpm=174),
        Wish(genres=("Köln", "岩")),
        Wish(energy=0.0),
        Wish(energy=1.0, tempo_bpm=90),
    ],
)
def test_a_name_is_read_back(wish: Wish) -> None:
    """Any node knows any station."""
    station_id = station_id_of(wish)
    assert wish_of(station_id) == wish
    assert len(station_id) <= STATION_ID_MAX and station_id.isascii() and station_id.replace("-", "").isalnum()


@pytest.mark.parametrize("wish", [Wish(), Wish(track_ids=(ONE, TWO, THREE)), Wish(genres=("x" * 60,))])
def test_what_has_no_room_has_no_name(wish: Wish) -> None:
    """It is said, not cut off."""
    with pytest.raises(ValueError, match="too much"):
        station_id_of(wish)


@pytest.mark.parametrize(
    "name",
    [
        "mix-", "library", "mix-x", "mix-t", f"mix-t{ONE}-", f"mix-T{ONE}", "mix-e101", "mix-e080", "mix-e8-e9",
        "mix-b5", "mix-g1", "mix-ga", f"mix-e5-t{ONE}", "mix-e-5", "mix-" + "a" * 90, "mix-b٣٣",
    ],
)  # fmt: skip
def test_other_names_are_none(name: str) -> None:
    """Each station has one name."""
    with pytest.raises(ValueError):
        wish_of(name)


@given(st.text(max_size=70).map(lambda text: f"mix-{text}"))
def test_any_text_is_a_name_or_none(name: str) -> None:
    """And a name that is one is the only one."""
    try:
        wish = wish_of(name)
    except ValueError:
        return
    assert station_id_of(wish) == name


@pytest.mark.parametrize(
    "wrong",
    [
        {"track_ids": ("../x",)}, {"artist_ids": ("",)}, {"energy": 1.1}, {"tempo_bpm": 5}, {"genres": (" ",)},
        {"genres": ("\ud800",)}, {"track_ids": (ONE,) * 6},
    ],
)  # fmt: skip
def test_nonsense_is_no_wish(wrong: dict[str, Any]) -> None:
    """Before anybody looks anything up."""
    with pytest.raises(ValueError):
        Wish(**wrong)

"""Parameters are what they must be, or refused with the number that players know."""

import pytest

from discovery.subsonic.asked import VALUES_MAX, Asked, Code, Refused


def test_values_are_read() -> None:
    """As text, number, flag, or many."""
    asked = Asked({"id": ["x"], "size": ["7"], "big": ["900"], "yes": ["True"], "ids": ["b", "a"], "at": ["1", "5000"]})
    assert asked.text("id") == "x"
    assert asked.text("other", "there") == "there"
    assert asked.number("size", 10, most=500) == 7
    assert asked.number("big", 10, most=500) == 500
    assert asked.number("other", 10, most=500) == 10
    assert asked.flag("yes", default=False) is True
    assert asked.flag("other", default=True) is True
    assert asked.many("ids") == ["b", "a"]
    assert asked.many("other") == ()
    assert asked.numbers("at", most=1000) == [1, 1000]


@pytest.mark.parametrize("number", ["-1", "", "1.5", "٣", "x", "9" * 99, " 1"])
def test_a_number_is_digits(number: str) -> None:
    """And not too many of them."""
    asked = Asked({"size": [number]})
    with pytest.raises(Refused) as single:
        asked.number("size", 10, most=500)
    with pytest.raises(Refused) as several:
        asked.numbers("size", most=500)
    assert single.value.code is several.value.code is Code.GENERIC
    assert number not in str(single.value) or number in "-1 1 x"


def test_what_is_missing_has_a_number_of_its_own() -> None:
    """Players tell that apart from what is wrong."""
    with pytest.raises(Refused) as refused:
        Asked({}).text("id")
    assert refused.value.code is Code.MISSING


@pytest.mark.parametrize(
    "values", [{"id": ["a", "b"]}, {"id": ["x" * 1001]}, {"id": ["x"] * (VALUES_MAX + 1)}, {"id": ["perhaps"]}]
)
def test_too_much_is_refused(values: dict[str, list[str]]) -> None:
    """One value where one is meant, of a length that makes sense."""
    with pytest.raises(Refused):
        Asked(values).text("id")
        Asked(values).flag("id", default=True)


def test_many_are_not_endless() -> None:
    """Neither in number nor in length."""
    for values in (["x"] * (VALUES_MAX + 1), ["x" * 1001]):
        with pytest.raises(Refused):
            Asked({"id": values}).many("id")

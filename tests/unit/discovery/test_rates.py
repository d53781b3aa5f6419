"""Rate limits: so many at once, so many each second, for each client by itself, in bounded memory."""

import pytest

from discovery.operations import Group
from discovery.rates import RATES, Rates
from model.errors import RateLimited


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


def _taken(rates: Rates, group: str, client: str) -> int:
    """How many requests of a client are let through now."""
    for taken in range(10_000):
        try:
            rates.take(group, client)
        except RateLimited:
            return taken
    raise AssertionError("never refused")


def test_every_group_has_a_rate() -> None:
    """None is without a limit."""
    assert set(Group) <= set(RATES)
    assert all(rate.burst >= 1 and rate.per_s > 0 for rate in RATES.values())


@pytest.mark.parametrize("group", RATES)
def test_a_burst_goes_through_and_then_so_many_each_second(clock: Clock, group: str) -> None:
    """What was not used is kept up to the burst, and no further."""
    rates, rate = Rates(clock=clock), RATES[group]
    assert _taken(rates, group, "one") == rate.burst
    clock.now_s += 3 / rate.per_s + 1e-6
    assert _taken(rates, group, "one") == min(3, rate.burst)
    clock.now_s += 1e9
    assert _taken(rates, group, "one") == rate.burst


def test_it_says_when_to_come_again(clock: Clock) -> None:
    """Then there is room for one."""
    rates = Rates(clock=clock)
    _taken(rates, Group.SIGN_UP, "one")
    with pytest.raises(RateLimited) as caught:
        rates.take(Group.SIGN_UP, "one")
    clock.now_s += caught.value.retry_after_s + 1e-6
    assert _taken(rates, Group.SIGN_UP, "one") == 1


def test_clients_and_groups_are_counted_apart(clock: Clock) -> None:
    """One who asks too much takes nothing from others, nor from what else it does."""
    rates = Rates(clock=clock)
    _taken(rates, Group.WRITE, "one")
    assert _taken(rates, Group.WRITE, "two") == RATES[Group.WRITE].burst
    assert _taken(rates, Group.READ, "one") == RATES[Group.READ].burst


def test_to_check_takes_nothing(clock: Clock) -> None:
    """But refuses what `take` would refuse."""
    rates = Rates(clock=clock)
    for _ in range(1000):
        rates.check(Group.WRITE, "one")
    assert _taken(rates, Group.WRITE, "one") == RATES[Group.WRITE].burst
    with pytest.raises(RateLimited):
        rates.check(Group.WRITE, "one")


@pytest.mark.parametrize(("factor", "allowed"), [(2.0, 2 * RATES[Group.WRITE].burst), (1e-9, 1)])
def test_a_factor_makes_rates_higher_or_lower(clock: Clock, factor: float, allowed: int) -> None:
    """Never so low that nothing goes."""
    assert _taken(Rates(factor, clock=clock), Group.WRITE, "one") == allowed


def test_no_factor_is_no_limit(clock: Clock) -> None:
    """And nothing is remembered."""
    rates = Rates(0.0, clock=clock)
    for _ in range(1000):
        rates.take(Group.SIGN_UP, "one")
    assert rates.remembered == 0


def test_no_more_clients_than_that_are_remembered(clock: Clock) -> None:
    """The one who was silent longest is forgotten first."""
    rates = Rates(clients_max=100, clock=clock)
    _taken(rates, Group.WRITE, "busy")
    for number in range(1000):
        rates.take(Group.WRITE, f"stranger {number}")
        with pytest.raises(RateLimited):
            rates.take(Group.WRITE, "busy")
        assert rates.remembered <= 100


def test_an_address_is_told_apart_but_not_told() -> None:
    """IPv6 by the network of a customer; IPv4 as it is, however it is written; by another process otherwise."""
    rates = Rates()
    assert rates.place_of("192.0.2.1") == rates.place_of("::ffff:192.0.2.1") != rates.place_of("192.0.2.2")
    assert (
        rates.place_of("2001:db8:1:2::3") == rates.place_of("2001:db8:1:2:ffff::") != rates.place_of("2001:db8:1:3::3")
    )
    assert rates.place_of("fe80::1%eth0") == rates.place_of("fe80::2")
    assert rates.place_of("no address") != rates.place_of("")
    assert "192" not in rates.place_of("192.0.2.1") and Rates().place_of("192.0.2.1") != rates.place_of("192.0.2.1")

"""How long a client may take, decided from what is seen of it at each look."""

import pytest

from origin.metrics_table import Cut
from origin.patience import Watch
from origin.settings import OriginSettings
from origin.tcp import TcpState

SETTINGS = OriginSettings(head_timeout_s=10.0, reader_window_s=20.0, reader_bytes_per_s_min=1000)
IDLE = TcpState(taken_bytes=0, waiting=False, silent_s=0.0)


def _first_cut(looks: list[tuple[float, bool, TcpState]]) -> tuple[float, Cut] | None:
    watch = Watch()
    for now_s, head_open, state in looks:
        cut = watch.judge(now_s, SETTINGS, head_open=head_open, state=state)
        if cut is not None:
            return now_s, cut
    return None


def test_a_head_has_its_time() -> None:
    """However many bytes trickle in: cut when the head was open for so long, from the first look that saw it."""
    assert _first_cut([(float(s), s >= 5, IDLE) for s in range(60)]) == (15.0, Cut.SLOW_HEAD)


def test_each_head_has_its_own_time() -> None:
    """A head that became whole counts no more."""
    assert _first_cut([(float(s), s % 10 != 0, IDLE) for s in range(60)]) is None


@pytest.mark.parametrize(("bytes_per_s", "cut_s"), [(0, 20.0), (999, 20.0), (1000, None), (50_000, None)])
def test_a_reader_has_to_move_on(bytes_per_s: int, cut_s: float | None) -> None:
    """Less than the least rate over a window, or nothing at all, and it is cut off."""
    looks = [(float(s), False, TcpState(taken_bytes=s * bytes_per_s, waiting=True, silent_s=0.0)) for s in range(100)]
    assert _first_cut(looks) == (None if cut_s is None else (cut_s, Cut.SLOW_READER))


def test_a_reader_that_stops_is_cut_after_its_window() -> None:
    """What it took before does not pay for what it does not take now."""
    taken = [min(s, 30) * 1_000_000 for s in range(100)]
    looks = [(float(s), False, TcpState(taken_bytes=taken[s], waiting=True, silent_s=0.0)) for s in range(100)]
    assert _first_cut(looks) == (60.0, Cut.SLOW_READER)


def test_a_client_is_not_blamed_for_our_store() -> None:
    """While there is nothing for it to take, its time does not run."""
    looks = [(float(s), False, TcpState(taken_bytes=s, waiting=s % 15 != 0, silent_s=0.0)) for s in range(100)]
    assert _first_cut(looks) is None

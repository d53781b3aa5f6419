"""When a source in a drop folder has arrived, from one look to the next; files are there, but their states are told."""

import shutil
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from segue.watch import Arrivals, is_partial
from tests.support.weighed import live_bytes

State = tuple[int, int, int]
BYTES_MAX = 100  # for each file more; its name and state alone would be more


class Drop:
    """A drop folder, in which everything that ends with .flac is a source."""

    def __init__(self, folder: Path, arrivals: Arrivals) -> None:
        self.folder = folder
        self.arrivals = arrivals

    def after(self, now: float, *, blind: frozenset[Path] = frozenset(), **folders: dict[str, State]) -> list[str]:
        """What arrives when these folders are all that is in it."""
        self.arrivals.taken()
        for there in self.folder.iterdir():
            shutil.rmtree(there)
        for name, files in folders.items():
            (self.folder / name).mkdir()
            for each in files:
                (self.folder / name / each).touch()
            seen = [(each.encode(), repr(state).encode(), each.endswith(".flac")) for each, state in files.items()]
            self.arrivals.look(self.folder / name, seen, now)
        self.arrivals.forget_vanished([self.folder], blind)
        return [source.path.name for source in self.arrivals]


@pytest.fixture
def drop(tmp_path: Path) -> Iterator[Drop]:
    """An empty one: files settle in ten seconds, and patience has an end after ten minutes."""
    (tmp_path / "drop").mkdir()
    with Arrivals(settle_s=10.0, patience_s=600.0) as arrivals:
        yield Drop(tmp_path / "drop", arrivals)


def test_a_file_arrives_when_it_has_settled_and_only_once(drop: Drop) -> None:
    """Not at first sight, not while it grows; then once, however often one looks."""
    sizes = [1, 2, 3, 3, 3, 3, 3]
    found = [drop.after(5.0 * number, album={"1.flac": (size, 0, 1)}) for number, size in enumerate(sizes)]
    assert found == [[], [], [], [], ["1.flac"], [], []]


@pytest.mark.parametrize("state", [(9, 1, 1), (8, 2, 1), (8, 1, 2)])
def test_a_file_that_changed_comes_again(drop: Drop, state: State) -> None:
    """Another size, time or inode is another state of it."""
    assert [drop.after(now, album={"1.flac": (8, 1, 1)}) for now in (0.0, 10.0)] == [[], ["1.flac"]]
    found = [drop.after(now, album={"1.flac": state}) for now in (20.0, 25.0, 30.0, 40.0)]
    assert found == [[], [], ["1.flac"], []]


def test_an_album_comes_as_a_whole(drop: Drop) -> None:
    """Its first track waits for the last, for the cover, and for a download that has no name yet; others do not."""
    first, single = {"1.flac": (8, 0, 1)}, {"s.flac": (8, 0, 9)}
    looks: list[dict[str, State]] = [
        first,
        first | {"2.flac.part": (1, 0, 2)},
        first | {"2.flac": (8, 0, 2)},
        first | {"2.flac": (8, 0, 2), "cover.jpg": (8, 0, 3)},
        first | {"2.flac": (8, 0, 2), "cover.jpg": (8, 0, 3)},
    ]
    found = [drop.after(10.0 * number, album=album, single=single) for number, album in enumerate(looks)]
    assert found == [[], ["s.flac"], [], [], ["1.flac", "2.flac"]]


def test_patience_with_a_folder_that_never_rests_has_an_end(drop: Drop) -> None:
    """After ten minutes its stable files come alone; what still changes goes on waiting."""
    found = {
        now: names
        for now in range(0, 700, 5)
        if (names := drop.after(float(now), album={"1.flac": (8, 0, 1), "log.flac": (now, 0, 2)}))
    }
    assert found == {605: ["1.flac"]}


def test_what_vanished_is_forgotten(drop: Drop) -> None:
    """A file that is put there again, even the same, is a new arrival; alone, or with its folder."""
    one, other = {"1.flac": (8, 0, 1)}, {"2.flac": (8, 0, 2)}
    assert [drop.after(now, album=one | other) for now in (0.0, 10.0)] == [[], ["1.flac", "2.flac"]]
    assert [drop.after(now, album=other) for now in (20.0, 30.0)] == [[], []]
    assert [drop.after(now, album=one | other) for now in (40.0, 50.0)] == [[], ["1.flac"]]
    assert drop.after(60.0) == []
    assert [drop.after(now, album=one) for now in (70.0, 80.0)] == [[], ["1.flac"]]


@pytest.mark.parametrize("lost", [".", "album"])
def test_what_cannot_be_seen_is_not_forgotten(drop: Drop, lost: str) -> None:
    """A share that was away for a while does not bring everything again."""
    assert [drop.after(now, album={"1.flac": (8, 0, 1)}) for now in (0.0, 10.0)] == [[], ["1.flac"]]
    assert drop.after(20.0, blind=frozenset([drop.folder / lost])) == []
    assert [drop.after(now, album={"1.flac": (8, 0, 1)}) for now in (30.0, 40.0)] == [[], []]


def test_a_drop_folder_that_goes_away_during_a_look_is_not_forgotten(drop: Drop) -> None:
    """Nobody knows then what is in it."""
    assert [drop.after(now, album={"1.flac": (8, 0, 1)}) for now in (0.0, 10.0)] == [[], ["1.flac"]]
    shutil.rmtree(drop.folder)
    drop.arrivals.forget_vanished([drop.folder], ())
    drop.folder.mkdir()
    assert [drop.after(now, album={"1.flac": (8, 0, 1)}) for now in (30.0, 40.0)] == [[], []]


def test_more_files_take_no_more_memory(tmp_path: Path) -> None:
    """Seen, arrived, and seen again; what an earlier look knew leaves nothing in memory."""

    def most_bytes(files: int) -> int:
        weights = []
        with Arrivals(settle_s=10.0, patience_s=600.0) as arrivals:
            tracemalloc.start()
            try:
                for now in (0.0, 10.0, 20.0):
                    arrivals.look(tmp_path, ((b"%09d.flac" % number, b"1-2-3", True) for number in range(files)), now)
                    arrived = iter(arrivals)
                    assert sum(1 for _ in islice(arrived, files // 2)) == (files // 2 if now else 0)
                    weights.append(live_bytes())
                    assert sum(1 for _ in arrived) == (files // 2 if now else 0)
            finally:
                tracemalloc.stop()
        return max(weights)

    few, many = most_bytes(1_000), most_bytes(2_000)
    assert many - few < 1_000 * BYTES_MAX


@pytest.mark.parametrize("name", ["a.part", "A.PART", "b.flac.crdownload", "c.tmp", "d.flac~", ".e.flac", "._f.flac"])
def test_names_of_files_on_their_way(name: str) -> None:
    """Browsers, copy programs and editors name them so."""
    assert is_partial(name)


def test_names_of_music_are_not_partial() -> None:
    """Words that merely contain such letters."""
    assert not any(map(is_partial, ["part.flac", "tmp.wav", "The.Part.II.mp3", "a~b.ogg"]))

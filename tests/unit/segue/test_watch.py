"""When a source in a drop folder has arrived, from one look to the next; no folder is read here."""

from pathlib import Path

import pytest

from ingest.scan import Source
from segue.watch import Arrivals, Look, State, is_partial

ALBUM = Path("drop/album")


def _look(*, blind: frozenset[Path] = frozenset(), **folders: dict[str, State]) -> Look:
    """Folders of `drop/`, in which everything that ends with .flac is a source."""
    states = {Path("drop") / name: files for name, files in folders.items()}
    sources = [(place, Source(path=place / n)) for place, files in states.items() for n in files if n.endswith(".flac")]
    return Look(folders=states, sources=sources, blind=blind)


def _names(found: list[Source]) -> list[str]:
    return [source.path.name for source in found]


def _arrivals() -> Arrivals:
    return Arrivals(settle_s=10.0, patience_s=600.0)


def test_a_file_arrives_when_it_has_settled_and_only_once() -> None:
    """Not at first sight, not while it grows; then once, however often one looks."""
    arrivals = _arrivals()
    sizes = [1, 2, 3, 3, 3, 3, 3]
    found = [_names(arrivals.after(_look(album={"1.flac": (size, 0, 1)}), 5.0 * n)) for n, size in enumerate(sizes)]
    assert found == [[], [], [], [], ["1.flac"], [], []]


@pytest.mark.parametrize("state", [(9, 1, 1), (8, 2, 1), (8, 1, 2)])
def test_a_file_that_changed_comes_again(state: State) -> None:
    """Another size, time or inode is another state of it."""
    arrivals = _arrivals()
    before, after = _look(album={"1.flac": (8, 1, 1)}), _look(album={"1.flac": state})
    assert [_names(arrivals.after(before, now)) for now in (0.0, 10.0)] == [[], ["1.flac"]]
    assert [_names(arrivals.after(after, now)) for now in (20.0, 25.0, 30.0, 40.0)] == [[], [], ["1.flac"], []]


def test_an_album_comes_as_a_whole() -> None:
    """Its first track waits for the last, for the cover, and for a download that has no name yet; others do not."""
    arrivals = _arrivals()
    first, single = {"1.flac": (8, 0, 1)}, {"s.flac": (8, 0, 9)}
    looks = [
        _look(album=first, single=single),
        _look(album=first | {"2.flac.part": (1, 0, 2)}, single=single),
        _look(album=first | {"2.flac": (8, 0, 2)}, single=single),
        _look(album=first | {"2.flac": (8, 0, 2), "cover.jpg": (8, 0, 3)}, single=single),
        _look(album=first | {"2.flac": (8, 0, 2), "cover.jpg": (8, 0, 3)}, single=single),
    ]
    found = [_names(arrivals.after(look, 10.0 * n)) for n, look in enumerate(looks)]
    assert found == [[], ["s.flac"], [], [], ["1.flac", "2.flac"]]


def test_patience_with_a_folder_that_never_rests_has_an_end() -> None:
    """After ten minutes its stable files come alone; what still changes goes on waiting."""
    arrivals = _arrivals()
    found = {
        now: names
        for now in range(0, 700, 5)
        if (names := _names(arrivals.after(_look(album={"1.flac": (8, 0, 1), "log.flac": (now, 0, 2)}), float(now))))
    }
    assert found == {605: ["1.flac"]}


def test_what_vanished_is_forgotten() -> None:
    """A file that is put there again, even the same, is a new arrival."""
    arrivals = _arrivals()
    look = _look(album={"1.flac": (8, 0, 1)})
    assert _names(arrivals.after(look, 10.0)) == []
    assert _names(arrivals.after(look, 20.0)) == ["1.flac"]
    assert arrivals.after(_look(), 30.0) == []
    assert [_names(arrivals.after(look, now)) for now in (40.0, 50.0)] == [[], ["1.flac"]]


@pytest.mark.parametrize("lost", [Path("drop"), ALBUM])
def test_what_cannot_be_seen_is_not_forgotten(lost: Path) -> None:
    """A share that was away for a while does not bring everything again."""
    arrivals = _arrivals()
    look = _look(album={"1.flac": (8, 0, 1)})
    arrivals.after(look, 0.0)
    assert _names(arrivals.after(look, 10.0)) == ["1.flac"]
    assert arrivals.after(_look(blind=frozenset([lost])), 20.0) == []
    assert [arrivals.after(look, now) for now in (30.0, 40.0)] == [[], []]


@pytest.mark.parametrize("name", ["a.part", "A.PART", "b.flac.crdownload", "c.tmp", "d.flac~", ".e.flac", "._f.flac"])
def test_names_of_files_on_their_way(name: str) -> None:
    """Browsers, copy programs and editors name them so."""
    assert is_partial(name)


def test_names_of_music_are_not_partial() -> None:
    """Words that merely contain such letters."""
    assert not any(map(is_partial, ["part.flac", "tmp.wav", "The.Part.II.mp3", "a~b.ogg"]))

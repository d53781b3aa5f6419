"""Files of listening as they are handed out, read as plays; made here in their form."""

import gzip
from pathlib import Path

import numpy as np

from benchmarks.listening_data import counts, sequences


def test_sequences_are_rows_in_their_order(tmp_path: Path) -> None:
    """Packed or not."""
    text = "1 7 12 3\n2 12 7\n"
    with gzip.open(tmp_path / "LastFM.txt.gz", "wt") as file:
        file.write(text)
    packed = sequences(tmp_path)
    (tmp_path / "LastFM.txt").write_text(text)
    plain = sequences(tmp_path)
    for plays in (packed, plain):
        assert plays is not None
        names = [[int(plays.tracks[item]) for item in row.items] for row in plays.rows()]
        assert names == [[7, 12, 3], [12, 7]]


def test_counts_are_read_past_their_heading(tmp_path: Path) -> None:
    """As hetrec2011-lastfm-2k has them: tab-separated, with CR and LF."""
    (tmp_path / "user_artists.dat").write_bytes(
        b"userID\tartistID\tweight\r\n2\t51\t13883\r\n2\t52\t11690\r\n3\t51\t1\r\n"
    )
    plays = counts(tmp_path)
    assert plays is not None
    assert [int(track) for track in plays.tracks] == [51, 52]
    assert [row.listens.tolist() for row in plays.rows()] == [[13883, 11690], [1]]
    assert np.array_equal(plays.counts(), [2, 1])


def test_a_folder_without_them_has_none(tmp_path: Path) -> None:
    """Neither is made up."""
    assert sequences(tmp_path) is None
    assert counts(tmp_path) is None

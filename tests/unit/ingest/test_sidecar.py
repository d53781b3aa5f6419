"""Sidecars: what operators know goes before what files say, and what is wrong in them is said before any work."""

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest

from ingest.metadata.sidecar import Sidecar, load_sidecar
from ingest.metadata.sidecar_rows import read_rows
from ingest.metadata.sidecar_text import VALUE_CHARS_MAX
from ingest.scan import Source
from model.errors import UsageError
from model.track import MusicBrainzIds, ReplayGain, TrackTags
from tests.support.weighed import live_bytes

ID = "b1a9c0e9-d987-4042-ae91-78d6a3267d69"
FILE = TrackTags(
    title="File", artists=("A",), album="Old", album_named=True, isrc="DEABC2400001", track_number=1, genres=("Jazz",)
)
SHA = "ab" * 32
BYTES_MAX = 100  # for each row more; its path and title alone would be more
_opened = ExitStack()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every sidecar, at the end of its test."""
    with _opened:
        yield


def written(folder: Path, text: str | bytes, name: str = "tags.csv") -> Sidecar:
    """A sidecar of this text."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return _opened.enter_context(load_sidecar(path))


def of_json(folder: Path, *entries: object) -> Sidecar:
    """A JSON sidecar of these entries."""
    return written(folder, json.dumps(entries), "tags.json")


def applied(sidecar: Sidecar, path: Path, tags: TrackTags = FILE, sha256: str = "") -> TrackTags:
    """The tags of a source at `path`."""
    return sidecar.apply(Source(path=path), tags, sha256=sha256)[0]


class TestValues:
    """What rows set."""

    def test_every_field(self, tmp_path: Path) -> None:
        """In JSON."""
        entry = {
            "path": "a.flac", "title": "T", "artists": ["A", "B"], "album": "Al", "album_artist": "AA",
            "track_number": 3, "track_total": "12", "disc_number": 1, "disc_total": 2, "date": 2024, "genres": "Jazz",
            "isrc": "de-abc-24-00009", "barcode": 4006381333931, "composers": ["C"], "label": "L", "copyright": "(c)",
            "lyrics": "one\ntwo", "compilation": True, "title_sort": "ts", "artist_sort": "as", "album_sort": "als",
            "album_artist_sort": "aas", "composer_sort": "cs", "musicbrainz_recording": ID.upper(),
            "musicbrainz_artists": [ID], "replay_gain_track_gain_db": -7.5, "replay_gain_track_peak": "0.9",
        }  # fmt: skip
        assert applied(of_json(tmp_path, entry), tmp_path / "a.flac", TrackTags(title="x")) == TrackTags(
            title="T", artists=("A", "B"), album="Al", album_named=True, album_artist="AA", track_number=3,
            track_total=12, disc_number=1, disc_total=2, date="2024", genres=("Jazz",), isrc="DEABC2400009",
            barcode="4006381333931", composers=("C",), label="L", copyright="(c)", lyrics="one\ntwo", compilation=True,
            title_sort="ts", artist_sort="as", album_sort="als", album_artist_sort="aas", composer_sort="cs",
            musicbrainz=MusicBrainzIds(recording=ID, artists=(ID,)),
            replay_gain=ReplayGain(track_gain_db=-7.5, track_peak=0.9),
        )  # fmt: skip

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_csv(self, tmp_path: Path, delimiter: str, mark: str) -> None:
        """As spreadsheets of all countries write it; several values stand between semicolons."""
        rows = [["path", "Title", "artists", "album"], ["a.flac", "T, t", "A; B", ""], ["", "", "", ""]]
        lines = [delimiter.join(f'"{cell}"' for cell in row) for row in rows]
        tags = applied(written(tmp_path, mark + "\r\n".join(lines)), tmp_path / "a.flac")
        assert (tags.title, tags.artists, tags.album, tags.album_named) == ("T, t", ("A", "B"), "Old", True)

    def test_clearing(self, tmp_path: Path) -> None:
        """An empty cell leaves, a dash or null clears; a title that is cleared comes from the file's name."""
        by_csv = written(tmp_path, "path,title,album,track_number,genres,isrc\n03 Name.flac,-,-,-,-,\n")
        by_json = of_json(
            tmp_path, {"path": "03 Name.flac", "title": None, "album": None, "track_number": None, "genres": None}
        )
        for sidecar in (by_csv, by_json):
            tags = applied(sidecar, tmp_path / "03 Name.flac")
            assert tags == TrackTags(title="Name", artists=("A",), isrc="DEABC2400001")

    def test_values_are_cleaned(self, tmp_path: Path) -> None:
        """As those of files are."""
        sidecar = of_json(tmp_path, {"path": "a.flac", "title": " a\x07\nb\N{RIGHT-TO-LEFT OVERRIDE} "})
        assert applied(sidecar, tmp_path / "a.flac").title == "a b"

    def test_a_named_album_is_named(self, tmp_path: Path) -> None:
        """A folder's name it is no more."""
        folder_only = TrackTags(title="x", album="Folder")
        assert applied(of_json(tmp_path, {"path": "a", "album": "New"}), tmp_path / "a", folder_only).album_named

    def test_art(self, tmp_path: Path) -> None:
        """A picture's path, relative to the sidecar."""
        sidecar = of_json(tmp_path, {"path": "a", "art": "scans/front.png"}, {"path": "b"})
        found = {name: sidecar.apply(Source(path=tmp_path / name), FILE) for name in "abc"}
        assert found == {"a": (FILE, tmp_path / "scans/front.png"), "b": (FILE, None), "c": (FILE, None)}


class TestMatches:
    """How rows know their sources."""

    def test_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Relative to the sidecar's folder or absolute, however the source is named."""
        sidecar = of_json(
            tmp_path, {"path": "CD1/a", "title": "one"}, {"path": str(tmp_path / "CD2/a"), "title": "two"}
        )
        monkeypatch.chdir(tmp_path)
        assert applied(sidecar, tmp_path / "CD1/a").title == "one"
        assert applied(sidecar, Path("CD1/../CD1/a")).title == "one"
        assert applied(sidecar, Path("CD2/a")).title == "two"
        assert applied(sidecar, tmp_path / "CD3/a") == FILE

    def test_file_names(self, tmp_path: Path) -> None:
        """A mere name fits a file anywhere, unless the batch has two of them."""
        sidecar = of_json(tmp_path, {"path": "a.wav", "title": "one"}, {"path": "b.wav", "title": "two"})
        sources = [Source(path=Path(name)) for name in ("/x/a.wav", "/x/b.wav", "/y/b.wav")]
        for seen in (sources[:2], sources[2:], sources):
            sidecar.see(seen)
        assert [sidecar.apply(source, FILE)[0].title for source in sources] == ["one", "File", "File"]
        assert list(sidecar.unmatched()) == ["entry 2: b.wav"]

    def test_composed_and_decomposed_names(self, tmp_path: Path) -> None:
        """What looks the same is the same."""
        sidecar = of_json(tmp_path, {"path": "caf\N{LATIN SMALL LETTER E WITH ACUTE}.wav", "title": "one"})
        assert applied(sidecar, tmp_path / "cafe\N{COMBINING ACUTE ACCENT}.wav").title == "one"

    def test_hash_and_isrc(self, tmp_path: Path) -> None:
        """The bytes of the file, or the recording; a path is more certain than both."""
        sidecar = of_json(
            tmp_path,
            {"sha256": SHA.upper(), "title": "hash"},
            {"isrc": "DE-ABC-24-00001", "title": "isrc"},
            {"path": "a", "title": "path"},
        )
        assert applied(sidecar, Path("/else/where"), sha256=SHA).title == "hash"
        assert applied(sidecar, Path("/else/where"), sha256="cd" * 32).title == "isrc"
        assert applied(sidecar, tmp_path / "a", sha256=SHA).title == "path"
        assert applied(sidecar, Path("/else/where"), TrackTags(title="x")).title == "x"

    def test_unmatched(self, tmp_path: Path) -> None:
        """Rows without a source are named, in order."""
        sidecar = written(tmp_path, "path,title\na,1\nb,2\n\nc,3\n")
        applied(sidecar, tmp_path / "b")
        assert list(sidecar.unmatched()) == ["line 2: a", "line 5: c"]

    def test_more_rows_take_no_more_memory(self, tmp_path: Path) -> None:
        """Neither read, nor looked up, nor told."""
        for suffix in ("csv", "json"):
            few, many = (most_bytes(tmp_path / f"{rows}.{suffix}", rows) for rows in (1_000, 2_000))
            assert many - few < 1_000 * BYTES_MAX


def most_bytes(path: Path, rows: int) -> int:
    """What a sidecar of so many rows takes at most: at the end of its file, and when half of it was told."""
    with path.open("w") as file:
        file.write("path,title\n" if path.suffix == ".csv" else "[")
        for number in range(rows):
            row = {"path": f"CD{number}/{number}.flac", "title": f"Title {number}"}
            text = ",".join(row.values()) if path.suffix == ".csv" else "," * (number > 0) + json.dumps(row)
            file.write(text + "\n")
        file.write("" if path.suffix == ".csv" else "]")
    weights = []
    tracemalloc.start()
    try:
        for number, _ in enumerate(read_rows(path), 1):
            if number == rows:
                weights.append(live_bytes())
        with load_sidecar(path) as sidecar:
            for number in range(0, rows, 10):
                assert applied(sidecar, path.with_name(f"CD{number}") / f"{number}.flac").title == f"Title {number}"
            unmatched = sidecar.unmatched()
            assert sum(1 for _ in islice(unmatched, rows // 2)) == rows // 2
            weights.append(live_bytes())
            assert sum(1 for _ in unmatched) == rows - rows // 10 - rows // 2
    finally:
        tracemalloc.stop()
    return max(weights)


class TestMalformed:
    """Nothing is guessed: an error names the place."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("path,titel\na,b\n", "line 2: unknown field: titel (did you mean title?)"),
            ("path,qqq\na,b\n", "line 2: unknown field: qqq:"),
            ("path,title\na,b\nc\n", "line 3: 1 cells under 2 columns"),
            ('path,title\n"a\nb",c\nd,e,f\n', "line 4: 3 cells under 2 columns"),
            ("path,title,title\n", "line 1: twice the same column: title"),
            ("", "line 1: no header"),
            ("path,title\na," + "b" * VALUE_CHARS_MAX, "line 2: more than 1 MiB for one row"),
            ('path,title\n"a,b\n', "line 2: no CSV"),
            ("path,track_number\na,3/12\n", "line 2: track_number needs a whole number from 1 to 9999: 3/12"),
            ("path,track_number\na,0\n", "line 2: track_number needs"),
            ("path,compilation\na,perhaps\n", "line 2: compilation needs true or false: perhaps"),
            ("path,isrc\na,12\n", "line 2: isrc needs an ISRC"),
            ("path,barcode\na,12\n", "line 2: barcode needs a barcode"),
            ("path,musicbrainz_release\na,12\n", "line 2: musicbrainz_release needs a UUID: 12"),
            ("path,replay_gain_track_gain_db\na,loud\n", "line 2: replay_gain_track_gain_db needs a number: loud"),
            ("title\nb\n", "line 2: no path, sha256 or isrc"),
            ("sha256,title\n12,b\n", "line 2: sha256 needs 64 hexadecimal digits"),
            ("path,title\na,b\n./a,c\n", "line 3: the same path as in line 2: ./a"),
            (b"path,title\na,caf\xe9\n", "line 2: not UTF-8"),
        ],
    )
    def test_csv(self, tmp_path: Path, text: str | bytes, message: str) -> None:
        """The line, what is wrong, and the nearest field that there is."""
        with pytest.raises(UsageError) as caught:
            written(tmp_path, text)
        assert str(caught.value).startswith(message)
        assert caught.value.subject == str(tmp_path / "tags.csv")
        assert caught.value.hint

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[\n{]", "line 2: no JSON"),
            ("[" * 100_000, "no JSON"),
            ("{}", "neither a list of objects nor"),
            ('{"tracks": {}, "titles": [{"path": "a"}]}', "neither a list of objects nor"),
            ('[{"path": "a"}]\n[]', "line 2: no JSON (extra data)"),
            ('[{"path": "a"},\n{"path": "a"}]', "entry 2: the same path as in entry 1: a"),
            ('{"tracks": [],\n"tracks": []}', "line 2: no JSON (twice tracks)"),
            ('[{"path": "' + "a" * 2 * VALUE_CHARS_MAX + '"}]', "line 1: more than 1 MiB for one row"),
            ("3", "neither a list of objects nor"),
            ("[3]", "entry 1: not an object"),
            ('{"tracks": [{"path": "a"}, {"path": "b", "artist": "x"}]}', "entry 2: unknown field: artist"),
            ('[{"path": 3}]', "entry 1: path needs a text"),
            ('[{"path": "a", "title": ["x"]}]', "entry 1: title needs a text"),
            ('[{"path": "a", "title": 1.5}]', "entry 1: title needs a text"),
            ('[{"path": "a", "track_number": true}]', "entry 1: track_number needs a whole number"),
            ('[{"path": "a", "art": 3}]', "entry 1: art needs the path of a picture"),
        ],
    )
    def test_json(self, tmp_path: Path, text: str, message: str) -> None:
        """The line, or the entry."""
        with pytest.raises(UsageError) as caught:
            written(tmp_path, text, "tags.json")
        assert str(caught.value).startswith(message)
        assert caught.value.hint

    def test_no_such_file_or_kind(self, tmp_path: Path) -> None:
        """What cannot be read, and what is neither."""
        with pytest.raises(UsageError, match="cannot read the sidecar"):
            load_sidecar(tmp_path / "gone.csv")
        with pytest.raises(UsageError, match=r"a \.json or \.csv file"):
            written(tmp_path, "path\n", "tags.xml")

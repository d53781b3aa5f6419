"""From found texts to tags: every field in its form, and nothing that is not of that form."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.metadata.fields import tags_of
from ingest.metadata.names import named
from ingest.metadata.tag_names import KNOWN, VALUE_CHARACTERS_MAX, VALUES_MAX, Found, add, normal
from model.track import MusicBrainzIds, ReplayGain, TrackTags

ID = "b1a9c0e9-d987-4042-ae91-78d6a3267d69"
OTHER = "0383dadf-2a4e-4d10-a46a-e9e041da8eb3"


def tags(found: Found, path: str = "/music/Folder/07 Name.flac") -> TrackTags:
    """The tags of a file of this name."""
    return tags_of(found, named(Path(path)))


class TestNames:
    """Tags and names together."""

    def test_names_speak_where_tags_do_not(self) -> None:
        """And it is said that nobody named the album."""
        found = tags({})
        assert (found.title, found.track_number, found.album, found.album_named) == ("Name", 7, "Folder", False)

    def test_genres_that_a_tool_joined_are_several(self) -> None:
        """Semicolons part them; other signs are part of a name."""
        assert tags({"genre": ["Jazz; Electronic", "Jazz", "Drum & Bass / Jungle"]}).genres == (
            "Jazz",
            "Electronic",
            "Drum & Bass / Jungle",
        )

    def test_a_tagged_album_is_named(self) -> None:
        """By its tag alone."""
        assert tags({"album": ["Days"]}).album_named
        assert not tags({"album": [" \0"]}).album_named

    def test_a_number_that_belongs_to_the_title(self) -> None:
        """99 balloons are no track number; a numbered name is, also beside a tagged title."""
        assert tags({"title": ["99 Luftballons"]}, "/a/99 Luftballons.mp3").track_number is None
        assert tags({"title": ["Evening"]}, "/a/07 Evening.mp3").track_number == 7
        assert tags({"title": ["Evening"], "track": ["3"]}, "/a/07 Evening.mp3").track_number == 3

    def test_an_artist_from_the_name_only_without_any_tag(self) -> None:
        """A file that somebody tagged is not guessed at."""
        path = "/a/03 Somebody - Evening.mp3"
        untagged = tags({}, path)
        assert (untagged.artists, untagged.title) == (("Somebody",), "Evening")
        tagged = tags({"date": ["2020"]}, path)
        assert (tagged.artists, tagged.title) == ((), "Somebody - Evening")


class TestForms:
    """Fields of a form."""

    @pytest.mark.parametrize(
        ("text", "pair"),
        [("7", (7, None)), ("07/12", (7, 12)), ("0/12", (None, 12)), ("A1", (None, None)), ("9" * 5000, (None, None))],
    )
    def test_numbers(self, text: str, pair: tuple[int | None, int | None]) -> None:
        """A number, or a number and a total."""
        found = tags({"tracknumber": [text]}, "/a/Name.flac")
        assert (found.track_number, found.track_total) == pair

    def test_totals_of_their_own(self) -> None:
        """In the names that several programs have for them; the one beside the number goes first."""
        found = tags({"tracknumber": ["3"], "totaltracks": ["9"], "discnumber": ["1/2"], "disctotal": ["4"]})
        assert (found.track_total, found.disc_total) == (9, 2)

    @pytest.mark.parametrize(
        ("text", "isrc"),
        [
            ("DEABC2400001", "DEABC2400001"),
            ("de-abc-24-00001", "DEABC2400001"),
            ("ISRC DEABC2400001", "DEABC2400001"),
            ("http://x", ""),
            ("DEABC240000", ""),
        ],
    )
    def test_isrc(self, text: str, isrc: str) -> None:
        """In its plain form, or not at all."""
        assert tags({"isrc": [text]}).isrc == isrc

    def test_the_first_isrc_that_is_one(self) -> None:
        """Some files carry several."""
        assert tags({"isrc": ["none", "DEABC2400001", "DEABC2400002"]}).isrc == "DEABC2400001"

    @pytest.mark.parametrize(
        ("text", "code"), [("4006381333931", "4006381333931"), ("0 12345-67890 5", "012345678905"), ("x", "")]
    )
    def test_barcode(self, text: str, code: str) -> None:
        """Digits, however they are grouped."""
        assert tags({"upc": [text]}).barcode == code

    def test_musicbrainz(self) -> None:
        """UUIDs and nothing else, also several in one text."""
        found = tags(
            {
                "musicbrainztrackid": [ID.upper()],
                "musicbrainzreleasetrackid": [OTHER],
                "musicbrainzalbumid": ["not one"],
                "musicbrainzartistid": [f"{ID}/{OTHER}"],
                "musicbrainzalbumartistid": [ID, OTHER, ID],
            }
        ).musicbrainz
        assert found == MusicBrainzIds(recording=ID, track=OTHER, artists=(ID, OTHER), album_artists=(ID, OTHER))

    def test_replay_gain(self) -> None:
        """Decibels with or without unit, linear peaks, and R128 in 1/256 dB."""
        found = tags(
            {
                "replaygaintrackgain": ["-7.03 dB"],
                "replaygaintrackpeak": ["0.988553"],
                "replaygainalbumgain": ["+1,5"],
                "replaygainalbumpeak": ["NaN"],
                "r128trackgain": ["-1280"],
                "r128albumgain": ["99999"],
            }
        ).replay_gain
        assert found == ReplayGain(track_gain_db=-7.03, track_peak=0.988553, album_gain_db=1.5, r128_track_gain_db=-5.0)

    @pytest.mark.parametrize(("text", "flag"), [("1", True), ("True", True), ("0", False), ("maybe", False)])
    def test_compilation(self, text: str, flag: bool) -> None:
        """Yes is what says yes."""
        assert tags({"compilation": [text]}).compilation is flag

    def test_lyrics_keep_their_lines(self) -> None:
        """And they may be long."""
        assert tags({"unsyncedlyrics": ["one\r\ntwo\n"]}).lyrics == "one\ntwo"
        assert len(tags({"lyrics": ["x" * 60_000]}).lyrics) == 50_000


class TestValues:
    """Several values."""

    def test_several_stay_several(self) -> None:
        """In their order, each once."""
        found = tags({"composer": ["A", "B", "A"], "genre": ["Jazz", ""], "artist": ["One", "Two"]})
        assert (found.composers, found.genres, found.artists) == (("A", "B"), ("Jazz",), ("One", "Two"))

    def test_artists_by_themselves_go_before_a_credit(self) -> None:
        """But one joined text of them is no better than the credit."""
        assert tags({"artist": ["A feat. B"], "artists": ["A", "B"]}).artists == ("A", "B")
        assert tags({"artist": ["A feat. B"], "artists": ["A/B"]}).artists == ("A feat. B",)
        assert tags({"artists": ["A"]}).artists == ("A",)

    def test_the_first_name_that_has_a_value(self) -> None:
        """An empty one does not hide the next."""
        assert tags({"label": [""], "publisher": ["P"], "organization": ["O"]}).label == "P"

    @given(st.dictionaries(st.sampled_from(sorted(KNOWN)), st.lists(st.text(), max_size=5)))
    def test_any_texts(self, found: Found) -> None:
        """Always tags, and a title."""
        assert tags(found).title


def test_found_is_bounded() -> None:
    """Unknown names, too many values and endless ones do not get far."""
    found: Found = {}
    add(found, "comment", ["x"])
    add(found, "genre", ["x"] * 100)
    add(found, "title", ["x" * 1_000_000])
    add(found, "title", ["second"])
    assert set(found) == {"genre", "title"}
    assert len(found["genre"]) == VALUES_MAX
    assert found["title"] == ["x" * VALUE_CHARACTERS_MAX]


def test_names_are_compared_without_case_and_signs() -> None:
    """As Picard writes them in its three ways."""
    assert normal("MusicBrainz Album Id") == normal("MUSICBRAINZ_ALBUMID") == "musicbrainzalbumid"

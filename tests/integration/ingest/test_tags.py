"""Tags of every container that we take, written by ffmpeg and by mutagen, read by us."""

import base64
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mutagen
import mutagen.aiff
import mutagen.apev2
import mutagen.flac
import mutagen.id3
import mutagen.mp3
import mutagen.mp4
import mutagen.oggflac
import mutagen.oggopus
import mutagen.oggvorbis
import mutagen.wave
import mutagen.wavpack
import pytest

from ingest.metadata.fields import tags_of
from ingest.metadata.names import named
from ingest.metadata.tags import read_file
from model.track import MusicBrainzIds, ReplayGain, TrackTags
from tests.support.audio import make_audio

WRITE: Any = mutagen  # typed in part only
RECIPE = "sine=d=0.5"
IDS = [f"{number:08d}-aaaa-4bbb-8ccc-000000000000" for number in range(7)]
JPEG = b"\xff\xd8\xff" + bytes(200)
BY_FFMPEG = {
    "title": "Evening", "artist": "One", "album": "Days", "album_artist": "Everybody", "track": "3/12", "disc": "1/2",
    "date": "2024-05-01", "genre": "Jazz", "composer": "Someone", "copyright": "(c) Us", "publisher": "Label",
    "ISRC": "DEABC2400001", "BARCODE": "4006381333931", "lyrics": "one\ntwo", "compilation": "1",
    "MUSICBRAINZ_TRACKID": IDS[0],
}  # fmt: skip
READ = TrackTags(
    title="Evening", artists=("One",), album="Days", album_named=True, album_artist="Everybody", track_number=3,
    track_total=12, disc_number=1, disc_total=2, date="2024-05-01", genres=("Jazz",), composers=("Someone",),
    copyright="(c) Us", label="Label", isrc="DEABC2400001", barcode="4006381333931", lyrics="one\ntwo",
    compilation=True, musicbrainz=MusicBrainzIds(recording=IDS[0]),
)  # fmt: skip
NO_IDS = MusicBrainzIds()
# LIST/INFO knows only some of it, and so does ffmpeg of MP4.
INFO = replace(READ, album_artist="", disc_number=None, disc_total=None, composers=(), label="", isrc="", barcode="",
               lyrics="", compilation=False, musicbrainz=NO_IDS)  # fmt: skip
ATOMS = replace(READ, label="", isrc="", barcode="", musicbrainz=NO_IDS)


def read(path: Path) -> TrackTags:
    """What the file says."""
    said = read_file(path)
    assert said.complaints == []
    assert said.seconds == pytest.approx(0.5, abs=0.06)
    return tags_of(said.found, named(path))


@pytest.mark.parametrize(
    ("suffix", "options", "wanted"),
    [
        (".wav", [], INFO),
        (".wav", ["-rf64", "always"], INFO),
        (".wav", ["-write_bext", "1"], INFO),
        (".aiff", ["-write_id3v2", "1"], READ),
        (".aiff", [], TrackTags(title="Evening", copyright="(c) Us")),
        (".flac", [], READ),
        (".ogg", ["-c:a", "libvorbis"], READ),
        (".oga", ["-c:a", "flac"], READ),
        (".opus", ["-c:a", "libopus"], READ),
        (".mp3", ["-id3v2_version", "4"], READ),
        (".mp3", ["-id3v2_version", "3"], READ),
        (".mp3", ["-id3v2_version", "0", "-write_apetag", "1"], None),
        (".aac", ["-write_id3v2", "1"], READ),
        (".m4a", [], ATOMS),
        (".m4a", ["-c:a", "alac"], ATOMS),
        (".wv", [], READ),
        (".caf", [], READ),
        (".mka", ["-c:a", "flac"], READ),
        (".webm", ["-c:a", "libopus"], READ),
    ],
)
def test_written_by_ffmpeg(suffix: str, options: list[str], wanted: TrackTags | None) -> None:
    """All that the format and ffmpeg can say, and nothing else."""
    metadata = [part for name, text in BY_FFMPEG.items() for part in ("-metadata", f"{name}={text}")]
    path = make_audio(RECIPE, suffix, *metadata, *options)
    wanted = wanted or TrackTags(title=path.stem)
    if not wanted.album:
        wanted = replace(wanted, album=path.parent.name)
    assert read(path) == wanted


FULL = TrackTags(
    title="Evening", artists=("One", "Two"), album="Days", album_named=True, album_artist="Everybody", track_number=3,
    track_total=12, disc_number=1, disc_total=2, date="2024-05-01", genres=("Jazz", "Ambient"), isrc="DEABC2400001",
    barcode="4006381333931", composers=("Someone", "Else"), label="Label", copyright="(c) Us", lyrics="one\n\ntwo",
    compilation=True, title_sort="ts", artist_sort="as", album_sort="als", album_artist_sort="aas", composer_sort="cs",
    musicbrainz=MusicBrainzIds(recording=IDS[0], track=IDS[1], release=IDS[2], release_group=IDS[3],
                               artists=(IDS[4], IDS[5]), album_artists=(IDS[6],)),
    replay_gain=ReplayGain(track_gain_db=-7.03, track_peak=0.98, album_gain_db=1.5, album_peak=1.01),
)  # fmt: skip
R128 = ReplayGain(r128_track_gain_db=-5.0, r128_album_gain_db=0.5)
# As Picard names them.
COMMENTS = {
    "TITLE": ["Evening"], "ARTIST": ["One & Two"], "ARTISTS": ["One", "Two"], "ALBUM": ["Days"],
    "ALBUMARTIST": ["Everybody"], "TRACKNUMBER": ["3"], "TOTALTRACKS": ["12"], "DISCNUMBER": ["1"], "DISCTOTAL": ["2"],
    "DATE": ["2024-05-01"], "ORIGINALDATE": ["1999"], "GENRE": ["Jazz", "Ambient"], "ISRC": ["DEABC2400001"],
    "BARCODE": ["4006381333931"], "COMPOSER": ["Someone", "Else"], "LABEL": ["Label"], "COPYRIGHT": ["(c) Us"],
    "LYRICS": ["one\n\ntwo"], "COMPILATION": ["1"], "TITLESORT": ["ts"], "ARTISTSORT": ["as"], "ALBUMSORT": ["als"],
    "ALBUMARTISTSORT": ["aas"], "COMPOSERSORT": ["cs"], "MUSICBRAINZ_TRACKID": [IDS[0]],
    "MUSICBRAINZ_RELEASETRACKID": [IDS[1]], "MUSICBRAINZ_ALBUMID": [IDS[2]], "MUSICBRAINZ_RELEASEGROUPID": [IDS[3]],
    "MUSICBRAINZ_ARTISTID": [IDS[4], IDS[5]], "MUSICBRAINZ_ALBUMARTISTID": [IDS[6]],
    "REPLAYGAIN_TRACK_GAIN": ["-7.03 dB"], "REPLAYGAIN_TRACK_PEAK": ["0.980000"], "REPLAYGAIN_ALBUM_GAIN": ["+1.50 dB"],
    "REPLAYGAIN_ALBUM_PEAK": ["1.010000"],
}  # fmt: skip
FRAMES = {
    "TIT2": "TITLE", "TPE1": "ARTIST", "TALB": "ALBUM", "TPE2": "ALBUMARTIST", "TDRC": "DATE", "TDOR": "ORIGINALDATE",
    "TCON": "GENRE", "TSRC": "ISRC", "TCOM": "COMPOSER", "TPUB": "LABEL", "TCOP": "COPYRIGHT", "TCMP": "COMPILATION",
    "TSOT": "TITLESORT", "TSOP": "ARTISTSORT", "TSOA": "ALBUMSORT", "TSO2": "ALBUMARTISTSORT", "TSOC": "COMPOSERSORT",
}  # fmt: skip
DESCRIBED = {
    "ARTISTS": "ARTISTS", "BARCODE": "BARCODE", "MusicBrainz Release Track Id": "MUSICBRAINZ_RELEASETRACKID",
    "MusicBrainz Album Id": "MUSICBRAINZ_ALBUMID", "MusicBrainz Release Group Id": "MUSICBRAINZ_RELEASEGROUPID",
    "MusicBrainz Artist Id": "MUSICBRAINZ_ARTISTID", "MusicBrainz Album Artist Id": "MUSICBRAINZ_ALBUMARTISTID",
    "replaygain_track_gain": "REPLAYGAIN_TRACK_GAIN", "replaygain_track_peak": "REPLAYGAIN_TRACK_PEAK",
    "REPLAYGAIN_ALBUM_GAIN": "REPLAYGAIN_ALBUM_GAIN", "REPLAYGAIN_ALBUM_PEAK": "REPLAYGAIN_ALBUM_PEAK",
}  # fmt: skip


def id3(encoding: int = 3) -> list[Any]:
    """All of it as ID3 frames, and a cover."""
    ids = WRITE.id3
    frames = [getattr(ids, frame)(encoding=encoding, text=COMMENTS[name]) for frame, name in FRAMES.items()]
    frames += [ids.TXXX(encoding=encoding, desc=desc, text=COMMENTS[name]) for desc, name in DESCRIBED.items()]
    return [
        *frames,
        ids.TRCK(encoding=encoding, text="03/12"),
        ids.TPOS(encoding=encoding, text="1/2"),
        ids.UFID(owner="http://musicbrainz.org", data=IDS[0].encode()),
        ids.USLT(encoding=encoding, lang="eng", text="one\n\ntwo"),
        ids.APIC(encoding=encoding, mime="image/jpeg", type=3, data=JPEG),
    ]


def with_id3(path: Path, kind: Any, **options: Any) -> None:
    """The file, tagged with ID3 frames."""
    file = kind(path)
    if file.tags is None:
        file.add_tags()
    for frame in id3(encoding=1 if options else 3):
        file.tags.add(frame)
    file.save(**options)


def with_comments(path: Path, kind: Any) -> None:
    """The file, tagged with Vorbis comments."""
    file = kind(path)
    for name, values in COMMENTS.items():
        file[name] = values
    picture = WRITE.flac.Picture()
    picture.type, picture.mime, picture.data = 3, "image/jpeg", JPEG
    if hasattr(file, "add_picture"):
        file.add_picture(picture)
    else:
        file["METADATA_BLOCK_PICTURE"] = [base64.b64encode(picture.write()).decode()]
    file.save()


def with_ape(path: Path, kind: Any) -> None:
    """The file, tagged with APEv2, in the names of that."""
    file = kind(path) if kind is not WRITE.apev2.APEv2 else kind()
    names = {"DATE": "Year", "ALBUMARTIST": "Album Artist", "TRACKNUMBER": "Track", "DISCNUMBER": "Disc"}
    for name, values in COMMENTS.items():
        if name not in ("TOTALTRACKS", "DISCTOTAL"):
            file[names.get(name, name.title())] = values
    file["Track"], file["Disc"] = "3/12", "1/2"
    file["Cover Art (Front)"] = WRITE.apev2.APEValue(b"cover.jpg\0" + JPEG, WRITE.apev2.BINARY)
    file.save(path)


def with_atoms(path: Path, kind: Any) -> None:
    """The file, tagged with MP4 atoms, freeform ones included."""
    file = kind(path)
    atoms = {
        "\xa9nam": "TITLE", "\xa9ART": "ARTIST", "\xa9alb": "ALBUM", "aART": "ALBUMARTIST", "\xa9day": "DATE",
        "\xa9gen": "GENRE", "\xa9wrt": "COMPOSER", "\xa9lyr": "LYRICS", "cprt": "COPYRIGHT", "sonm": "TITLESORT",
        "soar": "ARTISTSORT", "soal": "ALBUMSORT", "soaa": "ALBUMARTISTSORT", "soco": "COMPOSERSORT",
    }  # fmt: skip
    for atom, name in atoms.items():
        file[atom] = COMMENTS[name]
    freeform = {**DESCRIBED, "ISRC": "ISRC", "LABEL": "LABEL", "MusicBrainz Track Id": "MUSICBRAINZ_TRACKID"}
    for shown, name in freeform.items():
        file[f"----:com.apple.iTunes:{shown}"] = [value.encode() for value in COMMENTS[name]]
    file["trkn"], file["disk"], file["cpil"] = [(3, 12)], [(1, 2)], True
    file["covr"] = [WRITE.mp4.MP4Cover(JPEG), WRITE.mp4.MP4Cover(b"second")]
    file.save()


@pytest.mark.parametrize(
    ("suffix", "write", "kind"),
    [
        (".mp3", with_id3, WRITE.mp3.MP3),
        (".wav", with_id3, WRITE.wave.WAVE),
        (".aiff", with_id3, WRITE.aiff.AIFF),
        (".flac", with_comments, WRITE.flac.FLAC),
        (".ogg", with_comments, WRITE.oggvorbis.OggVorbis),
        (".oga", with_comments, WRITE.oggflac.OggFLAC),
        (".opus", with_comments, WRITE.oggopus.OggOpus),
        (".m4a", with_atoms, WRITE.mp4.MP4),
        (".wv", with_ape, WRITE.wavpack.WavPack),
        (".mp3", with_ape, WRITE.apev2.APEv2),
    ],
)
def test_written_by_mutagen(tmp_path: Path, suffix: str, write: Callable[[Path, Any], None], kind: Any) -> None:
    """Every field in every way of tagging, with several values, as Picard writes them; and the front cover."""
    path = bare(tmp_path, suffix)
    write(path, kind)
    assert read(path) == FULL
    assert [picture.data for picture in read_file(path).pictures if picture.kind == 3] == [JPEG]


def bare(folder: Path, suffix: str) -> Path:
    """A file of our own without tags."""
    codec = {".ogg": ["-c:a", "libvorbis"], ".opus": ["-c:a", "libopus"], ".oga": ["-c:a", "flac"]}.get(suffix, [])
    extra = ["-id3v2_version", "0"] if suffix == ".mp3" else []
    path = folder / f"01 name{suffix}"
    shutil.copy(make_audio(RECIPE, suffix, *codec, *extra), path)
    return path


def test_id3_of_version_23(tmp_path: Path) -> None:
    """In UTF-16; several values are one text there, which nobody can take apart for certain."""
    path = bare(tmp_path, ".mp3")
    with_id3(path, WRITE.mp3.MP3, v2_version=3)
    tags = read(path)
    assert tags == replace(FULL, artists=("One & Two",), genres=tags.genres, composers=("Someone/Else",))
    assert tags.musicbrainz.artists == (IDS[4], IDS[5])


def test_id3_of_version_22(tmp_path: Path) -> None:
    """Frames of three letters, as the first iTunes wrote them."""
    path = bare(tmp_path, ".mp3")
    texts = {b"TT2": "Evening", b"TP1": "One", b"TAL": "Days", b"TRK": "3/12", b"TCP": "1", b"TS2": "aas"}
    frames = b"".join(name + (len(text) + 1).to_bytes(3, "big") + b"\0" + text.encode() for name, text in texts.items())
    path.write_bytes(b"ID3\2\0\0\0\0\0" + bytes([len(frames)]) + frames + path.read_bytes())
    tags = read(path)
    assert (tags.title, tags.artists, tags.album, tags.track_number) == ("Evening", ("One",), "Days", 3)
    assert (tags.track_total, tags.compilation, tags.album_artist_sort) == (12, True, "aas")


def test_id3_of_version_1(tmp_path: Path) -> None:
    """Thirty characters and a number; a longer APE title goes before it. Bytes of UTF-8 in it are repaired."""
    path = bare(tmp_path, ".mp3")
    fields = ("Björk".encode().ljust(30, b"\0"), b"One".ljust(30), b"Days".ljust(30), b"2024", bytes(28) + b"\0\x07")
    old = b"TAG" + b"".join(fields) + b"\x08"
    path.write_bytes(path.read_bytes() + old)
    tags = read(path)
    assert (tags.title, tags.artists, tags.album, tags.date) == ("Björk", ("One",), "Days", "2024")
    assert (tags.track_number, tags.genres) == (7, ("Jazz",))
    tag = WRITE.apev2.APEv2()
    tag["Title"] = "A Title of More Than Thirty Characters, in Full"
    tag.save(path)
    path.write_bytes(path.read_bytes().removesuffix(old) + old)
    tags = read(path)
    assert (tags.title, tags.artists) == ("A Title of More Than Thirty Characters, in Full", ("One",))


def test_opus_gain(tmp_path: Path) -> None:
    """R128 tags are in 1/256 dB."""
    path = bare(tmp_path, ".opus")
    file = WRITE.oggopus.OggOpus(path)
    file["R128_TRACK_GAIN"], file["R128_ALBUM_GAIN"] = "-1280", "128"
    file.save()
    assert read(path).replay_gain == R128


def test_relative_volume_frames(tmp_path: Path) -> None:
    """ReplayGain in ID3 frames made for it."""
    path = bare(tmp_path, ".mp3")
    tag = WRITE.id3.ID3()
    tag.add(WRITE.id3.RVA2(desc="track", channel=1, gain=-6.5, peak=0.5))
    tag.save(path)
    gain = read(path).replay_gain
    assert (gain.track_gain_db, gain.track_peak) == pytest.approx((-6.5, 0.5), abs=0.01)


def test_a_flac_behind_an_id3_tag(tmp_path: Path) -> None:
    """Some programs put one there; the file's own comments go first."""
    path = bare(tmp_path, ".flac")
    with_comments(path, WRITE.flac.FLAC)
    tag = WRITE.id3.ID3()
    tag.add(WRITE.id3.TIT2(text="Other"))
    tag.save(path)
    assert path.read_bytes()[:3] == b"ID3"
    assert read(path) == FULL


def test_broadcast_wave(tmp_path: Path) -> None:
    """A description is a title and a date a date where nothing else is; an ISRC stands in the XML of the EBU."""
    path = bare(tmp_path, ".wav")
    bext = b"Evening, take 3".ljust(256, b"\0") + b"Desk".ljust(64, b"\0") + b"2024-05-01" + b"10:00:00" + bytes(264)
    axml = b"<dc:identifier>ISRC:DEABC2400001</dc:identifier>"
    for name, body in ((b"bext", bext), (b"axml", axml)):
        path.write_bytes(path.read_bytes() + name + len(body).to_bytes(4, "little") + body)
    tags = read(path)
    assert (tags.title, tags.date, tags.isrc) == ("Evening, take 3", "2024-05-01", "DEABC2400001")


def test_info_of_windows(tmp_path: Path) -> None:
    """LIST/INFO names no encoding: UTF-8 if it is that, else what Windows wrote."""
    for encoding in ("utf-8", "cp1252"):
        path = bare(tmp_path, ".wav")
        text = "Don’t, Björk\0".encode(encoding)
        body = b"INFOINAM" + len(text).to_bytes(4, "little") + text + bytes(len(text) % 2)
        path.write_bytes(path.read_bytes() + b"LIST" + len(body).to_bytes(4, "little") + body)
        assert read(path).title == "Don’t, Björk"


def test_matroska_levels_and_covers(tmp_path: Path) -> None:
    """Tags of the album and of the track are told apart by their targets; an attached cover is the cover."""
    path = tmp_path / "a.mka"
    shutil.copy(make_audio(RECIPE, ".mka", "-c:a", "flac"), path)
    album = element("63C0", element("68CA", b"\x32")) + simple("TITLE", "Days") + simple("ARTIST", "Everybody")
    track = element("63C0", element("68CA", b"\x1e")) + simple("TITLE", "Evening") + simple("PART_NUMBER", "3")
    track += simple("ARTIST", "One") + simple("ARTIST", "Two")
    tags = element("1254C367", element("7373", album + simple("TOTAL_PARTS", "12")) + element("7373", track))
    file = element("466E", b"cover.jpg") + element("4660", b"image/jpeg") + element("465C", JPEG)
    path.write_bytes(path.read_bytes() + tags + element("1941A469", element("61A7", file)))
    found = read(path)
    assert (found.title, found.artists, found.track_number) == ("Evening", ("One", "Two"), 3)
    assert (found.album, found.album_artist, found.track_total) == ("Days", "Everybody", 12)
    assert [(picture.kind, picture.data) for picture in read_file(path).pictures] == [(3, JPEG)]


def element(name: str, body: bytes) -> bytes:
    """An EBML element with a size of eight bytes."""
    return bytes.fromhex(name) + b"\x01" + len(body).to_bytes(7, "big") + body


def simple(name: str, text: str) -> bytes:
    """A SimpleTag."""
    return element("67C8", element("45A3", name.encode()) + element("4487", text.encode()))

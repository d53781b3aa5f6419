"""From the texts that were found in a file, and its names, to the tags of a track. Pure; any text will do."""

import math
import re
from collections.abc import Sequence

from ingest.metadata.clean import cleaned, cleaned_lines
from ingest.metadata.names import Named
from ingest.metadata.tag_names import FIELDS, Found
from model.track import MusicBrainzIds, ReplayGain, TrackTags

NUMBER_MAX = 9_999
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_BARCODE = re.compile(r"[0-9]{8,14}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DECIBELS = re.compile(r"\s*([+-]?[0-9]{1,3}(?:[.,][0-9]{1,9})?)\s*(?:dB)?\s*", re.IGNORECASE)
_PEAK = re.compile(r"\s*\+?([0-9]{1,3}(?:[.,][0-9]{1,9})?)\s*")
_Q78 = re.compile(r"\s*([+-]?[0-9]{1,5})\s*")  # RFC 7845 5.2.1: dB in 1/256
TRUE = frozenset(["1", "true", "yes"])


def tags_of(found: Found, names: Named) -> TrackTags:
    """The tags; where they are silent, what the names of file and folder say."""
    texts = {field: _values(found, aliases) for field, aliases in FIELDS.items()}
    untagged = not any(texts.values())
    first = {field: values[0] for field, values in texts.items() if values}
    title = first.get("title", "")
    track, track_total = number_pair(first.get("track", ""))
    disc, disc_total = number_pair(first.get("disc", ""))
    split = untagged and names.artist
    numbered = not title or not names.stem.casefold().startswith(title.casefold())  # not `99 Luftballons`
    return TrackTags(
        title=title or (names.artist_title if split else names.title),
        artists=_artists(texts) or ((names.artist,) if split else ()),
        album=first.get("album") or names.album,
        album_named="album" in first,
        album_artist=first.get("album_artist", ""),
        track_number=track or (names.track_number if numbered else None),
        track_total=track_total or number_pair(first.get("track_total", ""))[0],
        disc_number=disc or (names.disc_number if numbered else None),
        disc_total=disc_total or number_pair(first.get("disc_total", ""))[0],
        date=first.get("date", ""),
        genres=_genres(texts["genres"]),
        isrc=next(filter(None, map(isrc, texts["isrc"])), ""),
        barcode=next(filter(None, map(barcode, texts["barcode"])), ""),
        composers=texts["composers"],
        label=first.get("label", ""),
        copyright=first.get("copyright", ""),
        lyrics=_lyrics(found),
        compilation=first.get("compilation", "").lower() in TRUE,
        title_sort=first.get("title_sort", ""),
        artist_sort=first.get("artist_sort", ""),
        album_sort=first.get("album_sort", ""),
        album_artist_sort=first.get("album_artist_sort", ""),
        composer_sort=first.get("composer_sort", ""),
        musicbrainz=_musicbrainz(texts),
        replay_gain=_replay_gain(first),
    )


def _values(found: Found, aliases: Sequence[str]) -> tuple[str, ...]:
    """The cleaned values of the first alias that has any, each once."""
    for alias in aliases:
        texts = tuple(dict.fromkeys(filter(None, map(cleaned, found.get(alias, ())))))
        if texts:
            return texts
    return ()


def _genres(values: tuple[str, ...]) -> tuple[str, ...]:
    """No genre has a semicolon in its name: some tools join several with it."""
    parts = (part.strip() for value in values for part in value.split(";"))
    return tuple(dict.fromkeys(filter(None, parts)))


def _lyrics(found: Found) -> str:
    values = (cleaned_lines("\n\n".join(found.get(alias, ()))) for alias in FIELDS["lyrics"])
    return next(filter(None, values), "")


def _artists(texts: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """ARTISTS names each for himself what ARTIST writes as one credit."""
    return texts["artists"] if len(texts["artists"]) > len(texts["artist"]) else texts["artist"]


def number_pair(text: str) -> tuple[int | None, int | None]:
    """`7`, `07/12` -> number and total, where they are 1 to NUMBER_MAX."""
    parts = [int(part) if part.strip().isdecimal() and len(part) < 6 else 0 for part in text.split("/")[:2]]
    numbers = [part if 0 < part <= NUMBER_MAX else None for part in parts] + [None, None]
    return numbers[0], numbers[1]


def isrc(text: str) -> str:
    """An ISRC in its plain form, `DE-ABC-24-00001` included; empty if it is none."""
    plain = re.sub(r"[\s-]", "", text).upper().removeprefix("ISRC")
    return plain if _ISRC.fullmatch(plain) else ""


def barcode(text: str) -> str:
    """A barcode's digits (8 to 14), empty if it is none."""
    plain = re.sub(r"[\s-]", "", text)
    return plain if _BARCODE.fullmatch(plain) else ""


def uuids(texts: Sequence[str]) -> tuple[str, ...]:
    """Every UUID in these texts: some programs write several into one."""
    return tuple(dict.fromkeys(uuid for text in texts for uuid in _UUID.findall(text.lower())))


def _musicbrainz(texts: dict[str, tuple[str, ...]]) -> MusicBrainzIds:
    ids = {field: uuids(values) for field, values in texts.items() if field.startswith("mb_")}
    one = {field: next(iter(values), "") for field, values in ids.items()}
    return MusicBrainzIds(
        recording=one["mb_recording"],
        track=one["mb_track"],
        release=one["mb_release"],
        release_group=one["mb_release_group"],
        artists=ids["mb_artists"],
        album_artists=ids["mb_album_artists"],
    )


def _replay_gain(first: dict[str, str]) -> ReplayGain:
    return ReplayGain(
        track_gain_db=_number(_DECIBELS, first.get("track_gain")),
        track_peak=_number(_PEAK, first.get("track_peak")),
        album_gain_db=_number(_DECIBELS, first.get("album_gain")),
        album_peak=_number(_PEAK, first.get("album_peak")),
        r128_track_gain_db=_q78(first.get("r128_track")),
        r128_album_gain_db=_q78(first.get("r128_album")),
    )


def _number(form: re.Pattern[str], text: str | None) -> float | None:
    found = form.fullmatch(text or "")
    return float(found[1].replace(",", ".")) if found else None


def _q78(text: str | None) -> float | None:
    found = _Q78.fullmatch(text or "")
    value = int(found[1]) if found else math.inf
    return value / 256 if -32_768 <= value <= 32_767 else None

"""Another reader's opinion counts: it agrees with what we write, and everything that it sees otherwise is told."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given

from manifests.build import media_playlist, multivariant
from manifests.dash import render_mpd
from manifests.playlist import MediaPlaylist, MultivariantPlaylist
from manifests.render import render
from model.package import Package
from model.rendition import Codec
from packager.second_reader import second_opinion, second_opinion_on_mpd, second_opinion_on_variants
from tests.unit.manifests.samples import LADDER, NAMES, coded, cut, lossless, media_uri, package_of, packages

PACKAGE = package_of([*(coded(each, cut(960_000)) for each in LADDER), lossless(cut(960_000))])
FIRST = PACKAGE.renditions[0]
MEDIA = media_playlist(FIRST, target_duration_s=PACKAGE.target_duration_s, track_file_uri="aac-64.mp4")
VARIANTS = multivariant(PACKAGE, Codec.FLAC, uri_of=media_uri, session_data=NAMES)
MPD = render_mpd(PACKAGE, uri_of=lambda each: each.track_file_path)


@given(package=packages())
def test_it_agrees_with_what_we_write(package: Package) -> None:
    """Every playlist and the MPD of every package."""
    for each in package.renditions:
        ours = media_playlist(each, target_duration_s=package.target_duration_s, track_file_uri=each.track_file_path)
        assert list(second_opinion(render(ours), ours)) == []
    for codec in Codec:
        variants = multivariant(package, codec, uri_of=media_uri, session_data=NAMES)
        assert list(second_opinion_on_variants(render(variants), variants)) == []
    data = render_mpd(package, uri_of=lambda each: each.track_file_path)
    assert list(second_opinion_on_mpd(data, package)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: replace(it, target_duration_s=9), "other segments"),
        (lambda it: replace(it, segments=(replace(it.segments[0], duration_us=7), *it.segments[1:])), "other segments"),
        (lambda it: replace(it, segments=(replace(it.segments[0], uri="x"), *it.segments[1:])), "other places"),
        (lambda it: replace(it, segments=(replace(it.segments[0], byte_range=None), *it.segments[1:])), "other places"),
    ],
)
def test_a_media_playlist_seen_otherwise_is_told(
    change: Callable[[MediaPlaylist], MediaPlaylist], message: str
) -> None:
    """Durations, target, URIs and ranges."""
    (told,) = second_opinion(render(change(MEDIA)), MEDIA)
    assert message in told


def _first(**changes: object) -> Callable[[MultivariantPlaylist], MultivariantPlaylist]:
    def change(it: MultivariantPlaylist) -> MultivariantPlaylist:
        first = replace(it.variants[0], **changes)  # type: ignore[arg-type]  # any field, by name
        return replace(it, variants=(first, *it.variants[1:]))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_first(uri="x"), "variants"),
        (_first(bandwidth_bps=1), "variants"),
        (_first(average_bandwidth_bps=None), "variants"),
        (_first(codecs=("Opus",)), "variants"),
        (_first(stable_variant_id="x"), "variants"),
        (_first(audio="aac"), "variants"),
        (lambda it: replace(it, audio_groups=()), "audio groups"),
        (lambda it: replace(it, audio_groups=(replace(it.audio_groups[0], channels=6), it.audio_groups[1])), "groups"),
        (lambda it: replace(it, session_data=it.session_data[1:]), "session data"),
    ],
)
def test_a_multivariant_playlist_seen_otherwise_is_told(
    change: Callable[[MultivariantPlaylist], MultivariantPlaylist], message: str
) -> None:
    """All that the other reader knows: it has no SCORE, SAMPLE-RATE and BIT-DEPTH."""
    (told,) = second_opinion_on_variants(render(change(VARIANTS)), VARIANTS)
    assert message in told


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (MPD.replace(b'indexRange="700-', b'indexRange="701-', 1), "other representations"),
        (MPD.replace(b'range="0-699"', b'range="0-698"', 1), "other representations"),
        (MPD.replace(b'id="aac-64"', b'id="aac-65"'), "other representations"),
        (MPD.replace(b'codecs="fLaC"', b'codecs="Opus"'), "other representations"),
        (MPD.replace(b"</MPD>", b""), "not well-formed"),
    ],
)
def test_an_mpd_seen_otherwise_is_told(data: bytes, message: str) -> None:
    """Where header and index lie, in which family; and what is no XML at all."""
    assert data != MPD
    (told,) = second_opinion_on_mpd(data, PACKAGE)
    assert message in told

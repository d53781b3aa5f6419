"""The MPD, read by an XML parser: which file, where its header and index lie, how fast, how long."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.build import multivariant
from manifests.dash import render_mpd
from model.package import Package
from model.rendition import Codec
from model.segment import SegmentedRendition
from tests.unit.manifests.samples import LADDER, NOMINAL_TICKS, coded, cut, lossless, media_uri, package_of, packages

NAMESPACE = "{urn:mpeg:dash:schema:mpd:2011}"


def beside(rendition: SegmentedRendition) -> str:
    """The URI that a stored MPD has."""
    return rendition.track_file_path


def read(package: Package, *, title: str = "") -> "ElementTree.Element[str]":
    """The root of the MPD."""
    return ElementTree.fromstring(render_mpd(package, uri_of=beside, title=title))


def found(root: "ElementTree.Element[str]", name: str) -> "list[ElementTree.Element[str]]":
    """All elements of this name, in order."""
    return list(root.iter(NAMESPACE + name))


@given(package=packages())
def test_every_rendition_is_one_representation_of_its_family(package: Package) -> None:
    """One adaptation set for each codec, the rungs ascending, each with its file, its ranges and the rate of HLS."""
    root = read(package)
    assert root.get("type") == "static"
    families = {each.get("codecs"): found(each, "Representation") for each in found(root, "AdaptationSet")}
    assert list(families) == ["mp4a.40.2", "Opus", "fLaC"]
    for codec, representations in zip(Codec, families.values(), strict=True):
        by_rate = sorted(package.of(codec), key=lambda each: each.rendition.bitrate_bps)
        rates = {each.uri: each.bandwidth_bps for each in multivariant(package, codec, uri_of=media_uri).variants}
        for representation, rendition in zip(representations, by_rate, strict=True):
            rendition_id = rendition.rendition.rendition_id
            init, index = rendition.init_size_bytes, rendition.index_size_bytes
            assert representation.get("id") == rendition_id
            assert representation.get("bandwidth") == str(rates[media_uri(rendition_id)])
            assert [each.text for each in found(representation, "BaseURL")] == [f"{rendition_id}.mp4"]
            assert [each.get("range") for each in found(representation, "Initialization")] == [f"0-{init - 1}"]
            (base,) = found(representation, "SegmentBase")
            assert base.get("indexRange") == f"{init}-{init + index - 1}"
            assert base.get("timescale") == "48000" and base.get("presentationTimeOffset") is None


@given(package=packages())
def test_the_presentation_ends_with_its_longest_rendition(package: Package) -> None:
    """By less than a microsecond after it: players cut what lies behind the end."""
    text = read(package).get("mediaPresentationDuration") or ""
    said = re.fullmatch(r"PT(\d+\.\d{6})S", text)
    assert said
    longest = max(Fraction(each.duration_ticks, each.timescale) for each in package.renditions)
    assert 0 <= Fraction(said[1]) - longest < Fraction(1, 1_000_000)


@given(package=packages())
def test_equal_packages_give_equal_bytes(package: Package) -> None:
    """No clock, no order of a set."""
    assert render_mpd(package, uri_of=beside) == render_mpd(package, uri_of=beside)


def test_a_family_says_what_its_audio_is_like_and_how_soon_it_shall_be_taken() -> None:
    """Opus where it can be played, AAC else, lossless only when it is chosen."""
    root = read(package_of([coded(LADDER[0], cut(NOMINAL_TICKS)), lossless(cut(NOMINAL_TICKS))]))
    aac, flac = found(root, "AdaptationSet")
    for family in (aac, flac):
        assert (family.get("audioSamplingRate"), family.get("mimeType")) == ("48000", "audio/mp4")
        assert [each.get("value") for each in found(family, "AudioChannelConfiguration")] == ["2"]
    assert (aac.get("selectionPriority"), flac.get("selectionPriority")) == ("2", "1")


def test_a_lossless_rendition_may_be_the_mezzanine() -> None:
    """Its file is where the rendition says."""
    rendition = lossless(cut(NOMINAL_TICKS), track_file="../mezzanine/qrstuvwxyz234567.mp4")
    (base,) = found(read(package_of([rendition])), "BaseURL")
    assert base.text == "../mezzanine/qrstuvwxyz234567.mp4"


@given(text=st.text())
def test_any_title_is_well_formed(text: str) -> None:
    """Whatever strangers write into tags; a URI with an ampersand too."""
    package = package_of([coded(LADDER[0], cut(NOMINAL_TICKS))])
    data = render_mpd(package, uri_of=lambda _: "a?b=1&c=<2>", title=text)
    root = ElementTree.fromstring(data)
    assert [each.text for each in found(root, "BaseURL")] == ["a?b=1&c=<2>"]
    assert len(found(root, "Title")) == bool(text)


def test_a_title_is_kept_as_far_as_xml_can_hold_it() -> None:
    """Markup is text; a control character, which has no place in XML, is a space."""
    package = package_of([coded(LADDER[0], cut(NOMINAL_TICKS))])
    (title,) = found(read(package, title='Łódź <b> & "\x00\ufffe"'), "Title")
    assert title.text == 'Łódź <b> & "  "'


def test_a_file_without_an_index_has_no_place_in_an_mpd() -> None:
    """A player would look for it in the first segment."""
    rendition = coded(LADDER[0], cut(NOMINAL_TICKS))
    moved = replace(
        rendition, init_size_bytes=rendition.init_size_bytes + rendition.index_size_bytes, index_size_bytes=0
    )
    with pytest.raises(ValueError, match="no segment index"):
        read(package_of([moved]))

"""What ffmpeg is told, option by option. `make golden` rewrites the lists; review the diff."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from avtool import argv
from avtool.argv import Dip, EncodeOutput, Surroundings
from model.rendition import Codec, Rendition

FOLDER = Path(__file__).parent / "argv"
UPDATE = os.environ.get("GOLDEN_UPDATE") == "1"
SOURCE = "-odd: 'name'.flac"
MEZZANINE = "scratch/mezzanine.mp4"
AROUND = Surroundings(before="1.flac", before_from=95_400, after="3.flac", after_until=4_410, skip=4_935, keep=123_456)
AAC = Rendition(rendition_id="aac-128", codec=Codec.AAC, bitrate_bps=128_000)
OPUS = Rendition(rendition_id="opus-96", codec=Codec.OPUS, bitrate_bps=96_000)
DIPS = (Dip(50, 55, 0.25), Dip(130, 136, 0.4))
FLAC = Rendition(rendition_id="flac", codec=Codec.FLAC, bitrate_bps=0)


def lists() -> dict[str, list[str]]:
    """One list of each kind that we give to ffmpeg."""
    outputs = [
        EncodeOutput(rendition=AAC, path="scratch/aac-128.encoded.mp4", gain_db=0.17),
        EncodeOutput(rendition=OPUS, path="scratch/opus-96.encoded.mp4"),
        EncodeOutput(rendition=FLAC, path="scratch/flac.encoded.mp4", gain_db=-0.06),
    ]
    return {
        "probe.txt": argv.probe("ffmpeg", SOURCE),
        "decode.txt": argv.decode("ffmpeg", SOURCE, sample_rate_hz=44_100, channels=2),
        "decode-hashed.txt": argv.decode(
            "ffmpeg", SOURCE, sample_rate_hz=22_050, channels=1, packet_hash=True, containers="mp3"
        ),
        "decode-unchecked.txt": argv.decode("ffmpeg", SOURCE, sample_rate_hz=44_100, channels=2, checked=False),
        "decode-unchecked-hashed.txt": argv.decode(
            "ffmpeg", SOURCE, sample_rate_hz=22_050, channels=1, packet_hash=True, checked=False
        ),
        "play-back.txt": argv.play_back("ffmpeg", "scratch/a:b [c], 'd'.mp4", samples=480_123),
        "play-back-parts.txt": argv.play_back("ffmpeg", "scratch/parts.ffconcat", samples=480_123, joined=True),
        "normalise.txt": argv.normalise("ffmpeg", SOURCE, "scratch/flac.mp4", gain_db=-4.5, dither=True),
        "normalise-mono.txt": argv.normalise("ffmpeg", SOURCE, "scratch/flac.mp4", gain_db=1.0, dither=True, mono=True),
        "normalise-untouched.txt": argv.normalise("ffmpeg", SOURCE, "scratch/flac.mp4", gain_db=0.0, dither=False),
        "normalise-unchecked.txt": argv.normalise(
            "ffmpeg", SOURCE, "scratch/flac.mp4", gain_db=-4.5, dither=True, checked=False
        ),
        "encode-three.txt": argv.encode("ffmpeg", MEZZANINE, outputs),
        "encode-dipped.txt": argv.encode("ffmpeg", MEZZANINE, [replace(outputs[1], gain_db=-0.06, dips=DIPS)]),
        "normalise-among.txt": argv.normalise(
            "ffmpeg", SOURCE, "scratch/flac.mp4", gain_db=-4.5, dither=True, around=AROUND
        ),
        "normalise-last.txt": argv.normalise(
            "ffmpeg",
            SOURCE,
            "scratch/flac.mp4",
            gain_db=-4.5,
            dither=True,
            around=replace(AROUND, after=None, after_until=0, keep=None),
        ),
        "encode-joined.txt": argv.encode("ffmpeg", "scratch/run.ffconcat", outputs, joined=True),
        "encode-one.txt": argv.encode("ffmpeg", MEZZANINE, outputs[:1]),
    }


@pytest.mark.parametrize("name", sorted(lists()))
def test_argv_is_as_reviewed(name: str) -> None:
    """One argument a line: every option that we rely on is named, and nothing else is said."""
    text = "\n".join(lists()[name]) + "\n"
    if UPDATE:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / name).write_text(text, encoding="utf-8")
    reviewed = (FOLDER / name).read_text(encoding="utf-8")
    assert reviewed == text, "if the change is meant: make golden, and review the diff"


def test_no_reviewed_list_is_left_over() -> None:
    """A list that is no longer made has no file: remove it by hand."""
    assert {path.name for path in FOLDER.iterdir()} <= set(lists())


@pytest.mark.parametrize(
    "name", ["probe.txt", "decode.txt", "decode-hashed.txt", "decode-unchecked-hashed.txt", "normalise.txt"]
)
def test_a_source_is_opened_with_care(name: str) -> None:
    """Only by the file protocol, only as a container that we take, and its name is never an option."""
    told = lists()[name]
    at = told.index("-i")
    assert told[at + 1] == f"file:{SOURCE}"
    assert told[told.index("-protocol_whitelist") + 1] == "file"
    assert "hls" not in told[told.index("-format_whitelist") + 1].split(",")
    assert max(told.index("-protocol_whitelist"), told.index("-format_whitelist")) < at


@pytest.mark.parametrize("name", ["normalise", "decode"])
def test_a_filter_opens_a_source_with_the_same_care(name: str) -> None:
    """What is said before its name elsewhere; but threads are the decoder's, and it has one."""
    checked, graph = lists()[f"{name}.txt"], lists()[f"{name}-unchecked.txt"][2]
    options = checked[1 : checked.index("-i")]
    assert "protocol_whitelist" in graph
    for option, value in zip(options[::2], options[1::2], strict=True):
        said = "dec_threads" if option == "-threads" else option[1:]
        assert f"{said}={value}" in graph.replace("\\,", ",")


def test_neighbours_are_opened_with_the_same_care() -> None:
    """Three sources, three times the same options before their names."""
    told = lists()["normalise-among.txt"]
    inputs = [at for at, word in enumerate(told) if word == "-i"]
    assert [told[at + 1] for at in inputs] == ["file:1.flac", f"file:{SOURCE}", "file:3.flac"]
    options = [
        told[start:end] for start, end in zip([inputs[0] - 6, *[at + 2 for at in inputs[:-1]]], inputs, strict=True)
    ]
    assert options[0][-6:] == options[1] == options[2]


def test_a_run_is_a_list_of_files_beside_it() -> None:
    """In their order; nothing else can be named."""
    assert argv.joined_list(["a.mp4", "b.mp4"]) == b"ffconcat version 1.0\nfile a.mp4\nfile b.mp4\n"
    told = lists()["encode-joined.txt"]
    before = told[: told.index("-i")]
    assert before[before.index("-protocol_whitelist") + 1] == "file"
    assert before[before.index("-safe") + 1] == "1"
    assert before[before.index("-format_whitelist") + 1] == "concat,mov"


def test_the_list_of_an_excerpt_has_whole_units() -> None:
    """Of 0.32 s: each part begins where a block of FLAC does."""
    text = argv.excerpt_list([("a.mp4", 0, 3), ("b.mp4", 1_000, 1_003)])
    lines = ["ffconcat version 1.0", "file a.mp4", "inpoint 0.00", "outpoint 0.96"]
    lines += ["file b.mp4", "inpoint 320.00", "outpoint 320.96"]
    assert text == ("\n".join(lines) + "\n").encode()

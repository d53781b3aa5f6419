"""The ffmpeg that is used can do all that we ask of it, and one that cannot is refused before any work."""

import re
from pathlib import Path

import pytest

from avtool.locate import DEMUXERS, ENCODERS, FILTERS, Ffmpeg, _has_all, _lacking, locate
from avtool.output import parse_probe
from avtool.run import Limits, run
from model.errors import ToolMissing

LIMITS = Limits(timeout_s=20)


async def test_our_own_has_everything() -> None:
    """It comes with the package and needs no configuration."""
    tool = await locate()
    assert Path(tool.path).is_file()
    assert tool.version


async def test_a_configured_one_is_taken(tool: Ffmpeg) -> None:
    """By its path, and it calls itself the same."""
    assert await locate(tool.path) == tool


def _script(folder: Path, *lines: str) -> str:
    path = folder / "ffmpeg"
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return str(path)


def _answers(
    version: str,
    encoders: tuple[str, ...] = ENCODERS,
    filters: tuple[str, ...] = FILTERS,
    demuxers: tuple[str, ...] = DEMUXERS,
) -> str:
    """A script that answers as an ffmpeg of these abilities does."""
    shown = "; ".join(f"echo ' A....D {name} words'" for name in encoders)
    offered = "; ".join(f"echo ' ... {name} A->A words'" for name in filters)
    opened = "; ".join(f"echo ' D {'d' if name == 'lavfi' else ' '} {name} words'" for name in demuxers)
    answers = {"version": f"echo '{version}'", "encoders": shown, "filters": offered, "demuxers": opened}
    return f"case $2 in {' '.join(f'-{word}) {answer};;' for word, answer in answers.items())} esac"


GOOD = "ffmpeg version 9.9-test built with --enable-libsoxr"


async def test_a_stranger_with_all_abilities_is_taken(tmp_path: Path) -> None:
    """What counts is what it says that it can do."""
    path = _script(tmp_path, _answers(GOOD))
    assert await locate(path) == Ffmpeg(path=path, version="9.9-test")


WHOLE = "--enable-gpl --enable-libopus --enable-libsoxr --disable-debug --disable-libfdk-aac"


def _configured(*words: str, note: str = "") -> str:
    """A script that answers as an ffmpeg of this configuration does, and has no lists of what it can do."""
    configuration = " ".join(("configuration:", *words))
    return f"case $2 in -version) echo 'ffmpeg version 9.9'; echo '{configuration}'; echo '{note}';; esac"


async def test_a_whole_build_is_believed(tmp_path: Path) -> None:
    """All that is FFmpeg's own is in it: it is started once only."""
    path = _script(tmp_path, f"echo $2 >> {tmp_path}/asked", _configured(WHOLE))
    assert await locate(path) == Ffmpeg(path=path, version="9.9")
    assert (tmp_path / "asked").read_text().split() == ["-version"]


@pytest.mark.parametrize(
    ("words", "note"),
    [
        (f"{WHOLE} --disable-everything --enable-encoder=aac", ""),
        (f"{WHOLE} --disable-filter=pan", ""),
        (f"{WHOLE} --disable-libopus", ""),
        ("--enable-libsoxr", ""),
        (WHOLE, "  WARNING: library configuration mismatch"),
    ],
)
async def test_a_build_that_may_lack_something_is_asked(tmp_path: Path, words: str, note: str) -> None:
    """Something was left out, or never in, or its libraries are those of another build."""
    with pytest.raises(ToolMissing, match="lacks aac, libopus, flac"):
        await locate(_script(tmp_path, _configured(words, note=note)))


async def test_our_own_is_a_whole_build(tool: Ffmpeg) -> None:
    """What is taken for granted of it is so."""
    version = (await run([tool.path, "-version"], limits=LIMITS, subject="x")).stdout.decode()
    assert _has_all(version)
    for listing, wanted in (("-encoders", ENCODERS), ("-filters", FILTERS), ("-demuxers", DEMUXERS)):
        shown = (await run([tool.path, "-hide_banner", listing], limits=LIMITS, subject="x")).stdout
        assert not _lacking(shown, wanted)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("exit 1", "not a working ffmpeg"),
        ("echo no idea >&2; exit 127", "no idea"),
        ("kill -9 $$", "not a working ffmpeg"),
        ("true", "not an ffmpeg"),
        ("echo avconv version 11", "not an ffmpeg"),
        (_answers("ffmpeg version 5.1"), "lacks libsoxr"),
        (_answers(GOOD, encoders=("aac", "flac")), "lacks libopus"),
        (_answers(GOOD, filters=FILTERS[1:]), "lacks aformat"),
        (_answers(GOOD, demuxers=()), "lacks concat"),
        (_answers(GOOD, encoders=(), filters=()), "lacks aac, libopus, flac, aformat"),
    ],
)
async def test_what_is_no_use_is_refused(tmp_path: Path, answer: str, complaint: str) -> None:
    """Exit status 3, which file it is, what is wrong with it, and how to get another."""
    path = _script(tmp_path, answer)
    with pytest.raises(ToolMissing, match=complaint) as refused:
        await locate(path)
    assert refused.value.subject == path
    assert "SEGUE_FFMPEG" in refused.value.hint
    assert refused.value.exit_status == 3


async def test_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With the same hint."""
    with pytest.raises(ToolMissing, match="No such file") as refused:
        await locate(str(tmp_path / "ffmpeg"))
    assert "SEGUE_FFMPEG" in refused.value.hint


async def test_one_that_hangs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped, and counts as missing."""
    monkeypatch.setattr("avtool.locate._ASKING", Limits(timeout_s=0.5))
    with pytest.raises(ToolMissing, match="stopped after"):
        await locate(_script(tmp_path, "exec sleep 60"))


async def test_every_layout_of_this_ffmpeg_is_counted_rightly(tool: Ffmpeg) -> None:
    """Against its own list of names and parts."""
    listing = (await run([tool.path, "-hide_banner", "-layouts"], limits=LIMITS, subject="x")).stdout.decode()
    layouts = re.findall(r"^(\S+) +([A-Z0-9]+(?:\+[A-Z0-9]+)*)$", listing.partition("DECOMPOSITION")[2], re.MULTILINE)
    assert len(layouts) > 30
    for name, parts in layouts:
        header = f"#codec_id 0: flac\n#sample_rate 0: 48000\n#channel_layout_name 0: {name}\n"
        assert parse_probe(header.encode(), "", subject=name).channels == len(parts.split("+")), name

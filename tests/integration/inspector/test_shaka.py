"""What the real Shaka Packager writes: its real faults are found, and no others. In both versions that there are."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial
from itertools import accumulate
from pathlib import Path

import imageio_ffmpeg
import pytest

from inspector.judge import Inspection, inspected
from inspector.limits import Limits
from tests.support.audio import music_like
from tests.support.shaka import FOLDERS, Wanted, pack

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
# What its users give it: a file for each bit rate, and the same in fragments, without an edit list.
CODERS = {
    **{f"aac-{rate}": ("-c:a", "aac", "-b:a", f"{rate}k") for rate in (64, 96, 128, 192, 256)},
    **{f"opus-{rate}": ("-c:a", "libopus", "-vbr", "off", "-b:a", f"{rate}k") for rate in (64, 128)},
    "cd": ("-c:a", "aac", "-b:a", "128k", "-ar", "44100"),
    "flac": ("-c:a", "flac"),
    "alac": ("-c:a", "alac"),
    "mp3": ("-c:a", "libmp3lame", "-b:a", "128k"),
    "ac3": ("-c:a", "ac3", "-b:a", "192k"),
}
FRAGMENTS = ("-c", "copy", "-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "4000000")
FRAGMENTED = ("aac-64", "aac-96", "aac-128", "aac-192", "aac-256", "opus-64", "opus-128")
AAC, OPUS = FRAGMENTED[:5], FRAGMENTED[5:]
KEY = "00112233445566778899aabbccddeeff"
ENCRYPTED = ("--enable_raw_key_encryption", f"--keys=label=:key_id={KEY}:key={KEY}")
# What it never writes, or always writes so: neither loudness nor bit rates, and segments of 4 s as told.
ALWAYS = {"APPLE-7.5"}
BOXES = {"APPLE-2.19", "CMAF-btrt"}
UNKNOWN = {"APPLE-8.10", "CMAF-language"}  # without a language
# All bit rates in one group, under the one name that their language has.
GROUPED = {"CLIENT-group", "RFC8216-4.3.4.1.1-name"}
SHORTENED = {"CLIENT-first-extinf"}
SMALL = {"RFC8216-4.3.4.2", "APPLE-1.27"}  # held against the bytes by `underrated`
EVERY_FORM = pytest.mark.parametrize("suffix", ["m4s", ""], ids=["segments", "ranges"])
Shaka = Callable[..., Path]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs, as ffmpeg encodes them: `plain/` with edit lists, `fragmented/` without."""
    folder = tmp_path_factory.mktemp("encoded")
    for name in ("plain", "fragmented"):
        (folder / name).mkdir()
    run = partial(subprocess.run, check=True, timeout=60, cwd=folder)
    start = (FFMPEG, "-nostdin", "-v", "error", "-i")
    outputs = [part for name, coder in CODERS.items() for part in ("-map", "0:a", *coder, f"plain/{name}.mp4")]
    run([*start, str(music_like(24, rate=48_000)), *outputs])
    run([*start, "plain/opus-64.mp4", "-c", "copy", "plain/opus.webm"])
    for name in FRAGMENTED:
        run([*start, f"plain/{name}.mp4", *FRAGMENTS, f"fragmented/{name}.mp4"])
    return folder


@pytest.fixture(params=FOLDERS)
def shaka(request: pytest.FixtureRequest, encoded: Path, tmp_path: Path) -> Shaka:
    """A version, which packs encoded files into a folder."""

    def packed(folder: str, names: Sequence[str], *options: str, suffix: str = "m4s", apart: bool = False) -> Path:
        """`apart`: with a language, and each file in a group of its own."""
        files = [encoded / folder / (name if "." in name else f"{name}.mp4") for name in names]
        wanted = [Wanted(source=each, **(_apart(each) if apart else {})) for each in files]
        found = pack(request.param, tmp_path / "out", wanted, *options, suffix=suffix)
        assert f"shaka-packager version v{request.param}-" in (found / "master.m3u8").read_text()
        return found

    return packed


def _apart(source: Path) -> dict[str, str]:
    return {"group": source.stem, "language": "en"}


async def looked_at(folder: Path) -> Inspection:
    """The one stream of a folder; all of it was looked into."""
    async with aclosing(inspected(str(folder), Limits())) as found:
        (inspection,) = [each async for each in found]
    assert inspection.unseen == ()
    return inspection


def rules_of(inspection: Inspection) -> Counter[str]:
    """How often each rule is said to be broken."""
    return Counter(each.rule for each in inspection.findings)


async def told(folder: Path) -> Counter[str]:
    """The same of the one stream of a folder."""
    return rules_of(await looked_at(folder))


def of_all(rules: set[str], count: int) -> Counter[str]:
    """Each of the rules broken as often, once by each rendition; what groups break, they break once."""
    return Counter({rule: 1 if rule in GROUPED else count for rule in rules})


def underrated(folder: Path) -> Counter[str]:
    """Which rules BANDWIDTH breaks, from the sizes of files on disk and what playlists say: under the largest rate of
    any run of 0.5 to 1.5 target durations (RFC 8216 §4.1) by more than a thousandth, or under AVERAGE-BANDWIDTH
    (§4.3.4.2)."""
    found: Counter[str] = Counter()
    variant = re.compile(r"#EXT-X-STREAM-INF:BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+),.*\n(.*)")
    for bandwidth, average, uri in variant.findall((folder / "master.m3u8").read_text()):
        found["APPLE-1.27"] += int(bandwidth) < peak_bps(folder / uri) * 0.999
        found["RFC8216-4.3.4.2"] += int(bandwidth) < int(average)
    return +found


def peak_bps(playlist: Path) -> float:
    """The rate of the run of segments with the highest one."""
    text = playlist.read_text()
    target_s = int(re.findall(r"TARGETDURATION:(\d+)", text)[0])
    rows = re.findall(r"#EXTINF:([\d.]+),\n(?:#EXT-X-BYTERANGE:(\d+).*\n)?(.*)", text)
    sizes = [0, *accumulate(int(length or (playlist.parent / uri).stat().st_size) for _, length, uri in rows)]
    times_ms = [0, *accumulate(round(float(seconds) * 1_000) for seconds, _, _ in rows)]
    runs = ((first, last) for last in range(len(sizes)) for first in range(last))
    return max(
        (sizes[last] - sizes[first]) * 8_000 / (times_ms[last] - times_ms[first])
        for first, last in runs
        if target_s * 500 <= times_ms[last] - times_ms[first] <= target_s * 1_500
    )


@EVERY_FORM
async def test_bit_rates_of_one_name(shaka: Shaka, suffix: str) -> None:
    """Five in one group, as a user of it has them: no client adapts, the priming is heard, the tail is one frame."""
    folder = shaka("fragmented", AAC, suffix=suffix)
    heard = {"APPLE-priming", "CLIENT-tail"}
    assert await told(folder) == of_all(GROUPED | UNKNOWN | ALWAYS | BOXES | heard, len(AAC)) + underrated(folder)
    init = (folder / "aac-64/init.mp4" if suffix else folder / "aac-64.mp4").read_bytes()
    assert not any(kind in init for kind in (b"elst", b"btrt", b"ludt"))


@EVERY_FORM
async def test_an_edit_list_shortens_the_first_extinf(shaka: Shaka, suffix: str) -> None:
    """By one frame, and to the millisecond: at 48 kHz and at 44.1 kHz it is told once, and as what it is."""
    folder = shaka("plain", ["aac-128", "cd"], suffix=suffix)
    other_rate = {"CLIENT-format": 1, "APPLE-8.22": 1}
    expected = of_all(GROUPED | UNKNOWN | ALWAYS | BOXES | SHORTENED, 2) + Counter(other_rate)
    assert await told(folder) == expected + underrated(folder)


@EVERY_FORM
async def test_as_good_as_it_gets(shaka: Shaka, suffix: str) -> None:
    """With a language, and a group for each bit rate, nothing is left that players fail on."""
    folder = shaka("plain", AAC, suffix=suffix, apart=True)
    assert underrated(folder) == Counter()
    inspection = await looked_at(folder)
    assert rules_of(inspection) == of_all(ALWAYS | BOXES | SHORTENED, len(AAC))
    assert inspection.sound


@EVERY_FORM
async def test_opus_is_trimmed_twice(shaka: Shaka, suffix: str) -> None:
    """By `dOps` and by an edit list, both of 312 samples; its name is in another spelling."""
    folder = shaka("plain", OPUS, suffix=suffix, apart=True)
    twice = {"CLIENT-codecs", "CLIENT-opus-edit"}
    assert await told(folder) == of_all(ALWAYS | BOXES | SHORTENED | twice, 2) + Counter({"APPLE-2.2": 1})
    init = (folder / "opus-64/init.mp4" if suffix else folder / "opus-64.mp4").read_bytes()
    assert init[init.index(b"dOps") + 6 :][:2] == (312).to_bytes(2)
    assert init[init.index(b"elst") + 16 :][:4] == (312).to_bytes(4)
    assert b"sgpd\x01\x00\x00\x00roll" in init
    assert 'CODECS="opus"' in (folder / "master.m3u8").read_text()


@EVERY_FORM
async def test_opus_of_one_rate_out_of_fragments(shaka: Shaka, suffix: str) -> None:
    """No pre-roll. BANDWIDTH leaves the tail out of account, which has as much overhead as the others: it is under the
    peak, and under the average."""
    folder = shaka("fragmented", OPUS, suffix=suffix, apart=True)
    assert underrated(folder) == of_all(SMALL, 2)
    broken = ALWAYS | BOXES | SMALL | {"CLIENT-codecs", "OPUS-roll", "CLIENT-tail"}
    assert await told(folder) == of_all(broken, 2) + Counter({"APPLE-2.2": 1})
    init = (folder / "opus-64/init.mp4" if suffix else folder / "opus-64.mp4").read_bytes()
    assert b"roll" not in init


async def test_opus_out_of_webm(shaka: Shaka) -> None:
    """In ticks of 1 MHz, as WebM counts."""
    found = await told(shaka("plain", ["opus.webm"], apart=True))
    broken = {"OPUS-entry", "CLIENT-codecs", "APPLE-2.2", "CLIENT-tail"}
    assert found == of_all(ALWAYS | BOXES | broken, 1)


@pytest.mark.parametrize(
    ("name", "more"), [("flac", {"CLIENT-codecs"}), ("alac", set())], ids=["FLAC", "Apple Lossless"]
)
async def test_lossless(shaka: Shaka, name: str, more: set[str]) -> None:
    """Alone it is too fast for slow lines; its boxes are as they should be, and only FLAC is misspelt."""
    assert await told(shaka("plain", [name], apart=True)) == of_all(ALWAYS | BOXES | {"APPLE-2.3"} | more, 1)


async def test_lossless_over_a_ladder(shaka: Shaka) -> None:
    """In one stream with AAC, of which it begins with the delay of the encoder."""
    found = await told(shaka("plain", [*AAC, "alac"], apart=True))
    assert found == of_all(ALWAYS | BOXES, 6) + of_all(SHORTENED, 5)


async def test_all_codecs_in_one_group(shaka: Shaka) -> None:
    """Every variant has both, for each names the group, and none says so."""
    found = await told(shaka("plain", ["aac-128", "opus-128"]))
    assert (found["CLIENT-group"], found["RFC8216-4.3.4.1.1-name"], found["RFC8216-4.3.4.2-codecs"]) == (1, 1, 2)


@pytest.mark.parametrize("suffix", ["ts", "aac"], ids=["MPEG-TS", "packed audio"])
@pytest.mark.parametrize(
    "options", [(), (*ENCRYPTED, "--protection_scheme=cbcs", "--clear_lead=0")], ids=["clear", "encrypted"]
)
async def test_sound_without_boxes(shaka: Shaka, suffix: str, options: tuple[str, ...]) -> None:
    """Packets, tables, frames and time stamps are sound, and all of them are read, of encrypted samples too."""
    inspection = await looked_at(shaka("plain", AAC[:3], *options, suffix=suffix, apart=True))
    assert rules_of(inspection) == of_all(ALWAYS, 3)
    parts = inspection.stream.tracks[0].parts
    samples = sum(each.sound.samples for each in parts if each.sound and each.sound.measured)
    assert 24 * 48_000 <= samples < 24.2 * 48_000


@pytest.mark.parametrize("suffix", ["ts", "ac3"], ids=["MPEG-TS", "packed audio"])
async def test_ac3_without_boxes(shaka: Shaka, suffix: str) -> None:
    """The same."""
    assert await told(shaka("plain", ["ac3"], suffix=suffix, apart=True)) == of_all(ALWAYS, 1)


async def test_mp3_is_unknown(shaka: Shaka) -> None:
    """To its CODECS, in which no client finds what it can play."""
    found = await told(shaka("plain", ["mp3"], suffix="mp3", apart=True))
    assert found == of_all(ALWAYS | {"CLIENT-codecs", "RFC8216-4.3.4.2-codecs"}, 1)


@EVERY_FORM
@pytest.mark.parametrize("clear_s", [0, 8])
async def test_encrypted_samples_that_are_told_of(shaka: Shaka, suffix: str, clear_s: int) -> None:
    """Boxes are in the clear, and as they were; where music begins in the clear the init section holds for both."""
    scheme = ("--protection_scheme=cbcs", f"--clear_lead={clear_s}")
    folder = shaka("plain", AAC[:2], *ENCRYPTED, *scheme, suffix=suffix, apart=True)
    assert await told(folder) == of_all(ALWAYS | BOXES | SHORTENED, 2)


@EVERY_FORM
@pytest.mark.parametrize("clear_s", [0, 8])
async def test_encrypted_samples_that_nobody_tells_of(shaka: Shaka, suffix: str, clear_s: int) -> None:
    """In the scheme `cenc` the older version names a key as RFC 8216bis has it, the newer one says nothing at all."""
    scheme = ("--protection_scheme=cenc", f"--clear_lead={clear_s}")
    folder = shaka("plain", AAC[:2], *ENCRYPTED, *scheme, suffix=suffix, apart=True)
    newer = "version v3.8.0-" in (folder / "master.m3u8").read_text()
    assert ("EXT-X-KEY:METHOD=SAMPLE-AES-CTR" in (folder / "aac-64.m3u8").read_text()) is not newer
    inspection = await looked_at(folder)
    unsaid = [each for each in inspection.findings if each.rule == "RFC8216-4.3.2.4-unsaid"]
    assert [each.segment for each in unsaid] == ([clear_s // 4] * 2 if newer else [])
    assert rules_of(inspection) - Counter(each.rule for each in unsaid) == of_all(ALWAYS | BOXES | SHORTENED, 2)

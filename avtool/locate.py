"""Find ffmpeg and ask it once what it can do."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from avtool.run import Limits, run
from model.errors import ToolError, ToolMissing

ENCODERS = ("aac", "libopus", "flac")
FILTERS = (
    "aformat",
    "amovie",
    "aresample",
    "asetnsamples",
    "asetpts",
    "asettb",
    "asplit",
    "atrim",
    "concat",
    "pan",
    "volume",
)
DEMUXERS = ("concat",)
# Switches of FFmpeg's `configure` that take none of these away: libraries of others, documentation, debugging.
_HARMLESS = re.compile(
    r"--disable-(lib\w[\w-]*|debug|doc|htmlpages|manpages|podpages|txtpages|stripping|schannel|whisper)"
)
_ASKING = Limits(timeout_s=20)
_HINT = "set SEGUE_FFMPEG to an ffmpeg with libopus and libsoxr, or reinstall Segue's own: pip install imageio-ffmpeg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ffmpeg:
    """A usable ffmpeg. `version` is its own name for its build: outputs are only equal for equal versions."""

    path: str
    version: str


async def locate(configured: str | None = None) -> Ffmpeg:
    """The ffmpeg to use: the configured one, else the one that comes with Segue.

    Raises ToolMissing if there is none or it lacks something we need.
    """
    path = configured or _bundled()
    version = await _asked(path, "-version")
    named = re.match(rb"ffmpeg version (\S+)", version)
    if named is None:
        raise ToolMissing("not an ffmpeg", subject=path, hint=_HINT)
    lacking = []
    if not _has_all(version.decode("ascii", "replace")):
        for listing, wanted in (("-encoders", ENCODERS), ("-filters", FILTERS), ("-demuxers", DEMUXERS)):
            lacking += _lacking(await _asked(path, listing), wanted)
    if b"--enable-libsoxr" not in version:
        lacking.append("libsoxr")
    if lacking:
        raise ToolMissing(f"this ffmpeg lacks {', '.join(lacking)}", subject=path, hint=_HINT)
    return Ffmpeg(path=path, version=named[1].decode("ascii", "replace"))


async def _asked(path: str, question: str) -> bytes:
    try:
        return (await run([path, "-hide_banner", question], limits=_ASKING, subject=path)).stdout
    except ToolError as error:
        raise ToolMissing(f"not a working ffmpeg ({error.message})", subject=path, hint=_HINT) from error


def _has_all(version: str) -> bool:
    """Whether its configuration says as much: all that is FFmpeg's own is in a build unless it was left out.

    To ask for each list takes as long as to start it again. Libraries of another build than the program's, which it
    warns of, may lack what it has.
    """
    found = re.search(r"^configuration: (.*)$", version, re.MULTILINE)
    if found is None or "WARNING" in version:
        return False
    switches = found[1].split()
    disabled = [each for each in switches if each.startswith("--disable-")]
    return (
        "--enable-libopus" in switches
        and "--disable-libopus" not in disabled
        and all(_HARMLESS.fullmatch(each) for each in disabled)
    )


def _bundled() -> str:
    """The file that imageio-ffmpeg brings. Asked for it, it would start it once more, to see whether it works."""
    package = find_spec("imageio_ffmpeg")
    found = list(Path(package.origin).with_name("binaries").glob("ffmpeg-*")) if package and package.origin else []
    if len(found) == 1:
        return str(found[0])
    from imageio_ffmpeg import get_ffmpeg_exe  # noqa: PLC0415 - for platforms that it brings none for

    try:
        return str(Path(get_ffmpeg_exe()))
    except RuntimeError as error:
        raise ToolMissing("no ffmpeg on this machine", hint=_HINT) from error


def _lacking(listing: bytes, wanted: tuple[str, ...]) -> list[str]:
    rows = [row.decode("ascii", "replace").split() for row in listing.splitlines()]
    # After a column of letters comes the name; a device (lavfi) has a column more, with a `d`.
    present = {row[2] if row[1] == "d" and len(row) > 2 else row[1] for row in rows if len(row) > 1}
    return [name for name in wanted if name not in present]

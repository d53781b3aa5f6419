"""Find ffmpeg and ask it once what it can do."""

import re
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

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
    try:
        version = (await run([path, "-hide_banner", "-version"], limits=_ASKING, subject=path)).stdout
        encoders = (await run([path, "-hide_banner", "-encoders"], limits=_ASKING, subject=path)).stdout
        filters = (await run([path, "-hide_banner", "-filters"], limits=_ASKING, subject=path)).stdout
        demuxers = (await run([path, "-hide_banner", "-demuxers"], limits=_ASKING, subject=path)).stdout
    except ToolError as error:
        raise ToolMissing(f"not a working ffmpeg ({error.message})", subject=path, hint=_HINT) from error
    named = re.match(rb"ffmpeg version (\S+)", version)
    if named is None:
        raise ToolMissing("not an ffmpeg", subject=path, hint=_HINT)
    lacking = [*_lacking(encoders, ENCODERS), *_lacking(filters, FILTERS), *_lacking(demuxers, DEMUXERS)]
    if b"--enable-libsoxr" not in version:
        lacking.append("libsoxr")
    if lacking:
        raise ToolMissing(f"this ffmpeg lacks {', '.join(lacking)}", subject=path, hint=_HINT)
    return Ffmpeg(path=path, version=named[1].decode("ascii", "replace"))


def _bundled() -> str:
    try:
        return str(Path(imageio_ffmpeg.get_ffmpeg_exe()))
    except RuntimeError as error:
        raise ToolMissing("no ffmpeg on this machine", hint=_HINT) from error


def _lacking(listing: bytes, wanted: tuple[str, ...]) -> list[str]:
    rows = [row.decode("ascii", "replace").split() for row in listing.splitlines()]
    # After a column of letters comes the name; a device (lavfi) has a column more, with a `d`.
    present = {row[2] if row[1] == "d" and len(row) > 2 else row[1] for row in rows if len(row) > 1}
    return [name for name in wanted if name not in present]

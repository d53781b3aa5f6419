"""Which track file a player gets of a track: by the bit rate and the format that it asks for."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from catalog.schema import TrackRow
from discovery.subsonic.asked import Asked, Code, Refused
from model.package import Package
from model.records import from_json
from model.rendition import Codec, Rendition
from storage.base import ObjectStore
from storage.keys import package_key

KEPT_MAX = 4096  # packages whose renditions are remembered
_RATE_MAX = 100_000
_FORMATS = {"flac": Codec.FLAC, "opus": Codec.OPUS, "aac": Codec.AAC, "m4a": Codec.AAC, "mp4": Codec.AAC}
_RAW = "raw"  # whatever is best
_ORDER = (Codec.AAC, Codec.OPUS, Codec.FLAC)


class Renditions:
    """The renditions of live packages, read from the store once and remembered: packages never change."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, tuple[Rendition, ...]] = OrderedDict()

    async def streamed(self, row: TrackRow, asked: Asked) -> str:
        """The path of the track file to play: by default the best AAC within `maxBitRate`, which every player knows."""
        rate_max_bps = 1000 * asked.number("maxBitRate", 0, most=_RATE_MAX)
        form = asked.text("format", "")
        found = await self._of(row)
        if form == _RAW:
            return _path(row, best(found))
        wanted = _FORMATS.get(form, Codec.AAC)
        of_codec = [each for each in found if each.codec is wanted] or found
        return _path(row, within(of_codec, rate_max_bps))

    async def downloaded(self, row: TrackRow) -> str:
        """The path of the best track file there is."""
        return _path(row, best(await self._of(row)))

    async def _of(self, row: TrackRow) -> tuple[Rendition, ...]:
        if row.protected:
            raise Refused(Code.NOT_ALLOWED, "the song is protected: play it by HLS")
        assert row.package_id is not None, "only live tracks get here"
        if row.package_id not in self._kept:
            key = package_key(row.recording_id, row.package_id, "package.json")
            package = await asyncio.to_thread(from_json, Package, (await self._store.read(key)).data, subject=key)
            self._kept[row.package_id] = tuple(each.rendition for each in package.renditions)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return self._kept[row.package_id]


def best(found: Iterable[Rendition]) -> Rendition:
    """The lossless one, else the AAC of the highest bit rate, else the Opus."""
    lossless = [each for each in found if each.codec is Codec.FLAC]
    return lossless[0] if lossless else within(list(found), 0)


def within(found: Iterable[Rendition], rate_max_bps: int) -> Rendition:
    """The highest bit rate of at most `rate_max_bps` (0: any), AAC first; the lowest if all have more."""
    ordered = sorted(found, key=lambda each: (_ORDER.index(each.codec), -each.bitrate_bps))
    first = [each for each in ordered if each.codec is ordered[0].codec]
    fitting = [each for each in first if not rate_max_bps or each.bitrate_bps <= rate_max_bps]
    return fitting[0] if fitting else first[-1]


def _path(row: TrackRow, rendition: Rendition) -> str:
    return f"/recordings/{row.recording_id}/{row.package_id}/{rendition.rendition_id}.mp4"

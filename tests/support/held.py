"""A stream held in memory: a Source for tests that need no disk and no network."""

from collections.abc import Collection, Mapping
from urllib.parse import urljoin

from inspector.source import Answer
from manifests.playlist import PlaylistByteRange
from model.errors import InsecureServer, InspectionLimit, OutOfReach, ResourceUnavailable

BASE = "http://held.example/"
HEADERS = {
    ".m3u8": {"content-type": "application/vnd.apple.mpegurl", "content-encoding": "gzip"},
    ".mp4": {"content-type": "audio/mp4"},
    ".aac": {"content-type": "audio/aac"},
    ".ts": {"content-type": "video/mp2t"},
}


class Held:
    """Resources by name, with the headers of a good server; `headers` and `redirects` change those of some names, and
    `insecure` are on a server of bad TLS."""

    remote = True

    def __init__(
        self,
        files: Mapping[str, bytes],
        *,
        headers: Mapping[str, Mapping[str, str]] | None = None,
        redirects: Mapping[str, int] | None = None,
        no_ranges: bool = False,
        insecure: Collection[str] = (),
    ) -> None:
        self._files, self._insecure = files, insecure
        self._headers, self._redirects, self._no_ranges = headers or {}, redirects or {}, no_ranges

    def resolve(self, base: str, uri: str) -> str:
        """Every URI is one of ours, or out of reach."""
        location = urljoin(base, uri)
        if not location.startswith(BASE):
            raise OutOfReach("not an http or https URL that a client follows", subject=uri)
        return location

    async def get(
        self, location: str, *, bytes_max: int, byte_range: PlaylistByteRange | None = None, playlist: bool = False
    ) -> Answer:
        """The bytes, if there is such a name."""
        name = location.removeprefix(BASE)
        if name in self._insecure:
            raise InsecureServer("no TLS that players accept", subject="held.example")
        if name not in self._files:
            raise ResourceUnavailable("status 404", subject=location)
        whole = self._files[name]
        data = whole[byte_range.offset_bytes : byte_range.end_bytes] if byte_range else whole
        if len(data) > bytes_max:
            raise InspectionLimit(f"larger than {bytes_max} bytes", subject=location)
        usual = {"access-control-allow-origin": "*", **HEADERS[location[location.rindex(".") :]]}
        return Answer(
            location=location,
            data=data,
            size_bytes=len(whole),
            redirects=self._redirects.get(name, 0),
            range_ignored=self._no_ranges and byte_range is not None,
            headers={**usual, **self._headers.get(name, {})},
        )

"""Reading a stream from one playlist down: every media playlist, init section and segment, within the limits.

What cannot be had is noted and the rest goes on: one bad server or file never ends an inspection.
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from cmaf.look import InitLook, look_at_index, look_at_init, look_at_segment
from inspector.frames import look_at_packed
from inspector.gathered import ENCRYPTED, FMP4, PACKED, TS, UNKNOWN, Delivery, MediaTrack, Mishap, Part, Stream, Unseen
from inspector.gathered import kind_of as kind_of_bytes
from inspector.limits import Limits
from inspector.source import Answer, Source
from inspector.transport import look_at_transport
from manifests.listing import ListedMap, ListedSegment, Listing, MediaListing, MultivariantListing
from manifests.listing_reader import read_listing
from manifests.playlist import PlaylistByteRange
from model.errors import (
    InsecureServer,
    InspectionError,
    InspectionLimit,
    OutOfReach,
    PlaylistSyntaxError,
    ResourceUnavailable,
)
from model.rule import Place

INDEX_BYTES_MAX = 1 << 20
UNSEEN_MAX = 1_000
MISHAPS_MAX = 1_000


async def gather(source: Source, location: str, limits: Limits) -> Stream:
    """Everything that the playlist at `location` leads to. Raises nothing for what others did wrong."""
    gatherer = _Gatherer(source, limits)
    listing = await gatherer.playlist(location, {})
    multivariant, tracks = None, []
    if isinstance(listing, MediaListing):
        tracks = [await gatherer.track(location, (), listing)]
    elif listing is not None:
        multivariant = listing
        tracks = await gatherer.tracks_of(location, listing)
    return Stream(
        location=location,
        remote=source.remote,
        multivariant=multivariant,
        tracks=tuple(tracks),
        deliveries=tuple(gatherer.deliveries),
        mishaps=tuple(gatherer.mishaps),
        unseen=tuple(gatherer.unseen),
    )


class _Gatherer:
    """One inspection on its way: its notes, and how many requests run at once."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source, self._limits = source, limits
        self._slots = asyncio.Semaphore(limits.parallel)
        self.deliveries: list[Delivery] = []
        self.mishaps: list[Mishap] = []
        self.unseen: list[Unseen] = []
        self._insecure: set[str] = set()

    async def playlist(self, location: str, imported: Mapping[str, str]) -> Listing | None:
        """The listing at a location, None if there is none."""
        answer = await self._get(location, Place(resource=location), self._limits.playlist_bytes_max, playlist=True)
        if answer is None:
            return None
        self._delivered("playlist", answer)
        query = dict(parse_qsl(urlsplit(answer.location).query, keep_blank_values=True)) if self._source.remote else {}
        try:
            return await asyncio.to_thread(read_listing, answer.data, subject=location, query=query, imported=imported)
        except PlaylistSyntaxError as error:
            self._mishap("RFC8216-4.1-playlist", Place(resource=location, line=error.line), error.message)
            return None

    async def tracks_of(self, base: str, listing: MultivariantListing) -> list[MediaTrack]:
        """The media playlists of the variants and of the audio renditions, each once."""
        named: dict[str, list[str]] = {}
        lines: dict[str, int] = {}
        wanted = [(each.uri, each.line) for each in listing.variants]
        wanted += [(each["URI"], each.line) for each in listing.renditions if each["TYPE"] == "AUDIO" and each["URI"]]
        for uri, line in wanted:
            where = self._resolved(base, uri, line)
            if where is not None:
                named.setdefault(where, []).append(uri)
                lines.setdefault(where, line)
        for each in listing.renditions:
            if each["TYPE"] in ("SUBTITLES", "VIDEO") and each["URI"]:
                self._not_seen(each["URI"], f"{each['TYPE'].lower()} are not looked into")
        for where in list(named)[self._limits.playlists_max :]:
            self._not_seen(where, f"more than {self._limits.playlists_max} playlists")
        tracks = []
        for where in list(named)[: self._limits.playlists_max]:
            found = await self.playlist(where, listing.variables)
            if isinstance(found, MediaListing):
                tracks.append(await self.track(where, tuple(dict.fromkeys(named[where])), found))
            elif found is not None:
                place = Place(resource=base, line=lines[where])
                self._mishap("RFC8216-4.1-playlist", place, f"leads to another multivariant playlist: {where}")
        return tracks

    async def track(self, location: str, uris: tuple[str, ...], listing: MediaListing) -> MediaTrack:
        """A media playlist with its init sections and segments."""
        if not listing.ended:
            self._not_seen(location, "no EXT-X-ENDLIST: a live stream, of which one moment was looked at")
        inits, init_locations = await self._inits(location, listing)
        segments = listing.segments[: self._limits.segments_max]
        if len(segments) < len(listing.segments):
            self._not_seen(location, f"more than {self._limits.segments_max} segments")
        file_sizes: dict[str, int] = {}
        parts = await self._parts(location, segments, inits, file_sizes)
        self._summed_up(location, parts, inits)
        return MediaTrack(
            location=location,
            uris=uris,
            listing=listing,
            parts=tuple(parts),
            inits=inits,
            init_locations=init_locations,
            file_sizes=file_sizes,
            index=await self._index(location, listing, parts),
        )

    async def _inits(self, base: str, listing: MediaListing) -> tuple[dict[int, InitLook], dict[int, str]]:
        inits: dict[int, InitLook] = {}
        locations: dict[int, str] = {}
        maps = {each.init_map.line: each.init_map for each in listing.segments if each.init_map}
        for line, init_map in list(maps.items())[: self._limits.playlists_max]:
            where = self._resolved(base, init_map.uri, line)
            if where is None:
                continue
            locations[line] = where
            if init_map.key and init_map.key.hides_boxes:
                self._not_seen(where, "the init section is encrypted")
                continue
            place = Place(resource=base, line=line)
            answer = await self._get(where, place, self._limits.init_bytes_max, init_map.byte_range)
            if answer is not None:
                self._delivered("init section", answer)
                inits[line] = await asyncio.to_thread(look_at_init, answer.data)
        return inits, locations

    async def _parts(
        self,
        base: str,
        segments: tuple[ListedSegment, ...],
        inits: Mapping[int, InitLook],
        file_sizes: dict[str, int],
    ) -> list[Part]:
        parts: list[Part] = []
        for first in range(0, len(segments), self._limits.parallel):
            batch = segments[first : first + self._limits.parallel]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._part(base, each, inits, file_sizes)) for each in batch]
            found = [task.result() for task in tasks]
            parts += [part for part, _ in found]
            if not all(going_on for _, going_on in found):
                self._not_seen(base, f"the segments from number {len(parts)} on")
                return parts + [Part(location="") for _ in segments[len(parts) :]]
        return parts

    async def _part(
        self, base: str, segment: ListedSegment, inits: Mapping[int, InitLook], file_sizes: dict[str, int]
    ) -> tuple[Part, bool]:
        """A segment, and whether to go on after it."""
        where = self._resolved(base, segment.uri, segment.line)
        if where is None or segment.gap:
            return Part(location=where or "", size_bytes=0 if segment.gap else None, kind=FMP4), True
        place = Place(resource=base, line=segment.line)
        answer = await self._get(where, place, self._limits.segment_bytes_max, segment.byte_range)
        if answer is None:
            return Part(location=where, kind=FMP4), not self._exhausted
        self._delivered("segment", answer)
        if segment.byte_range and answer.size_bytes is not None:
            file_sizes[segment.uri] = answer.size_bytes
        size_bytes = segment.byte_range.length_bytes if segment.byte_range else len(answer.data)
        if segment.key and segment.key.hides_boxes:
            return Part(location=where, kind=ENCRYPTED, size_bytes=size_bytes), True
        init = inits.get(segment.init_map.line) if segment.init_map else None
        kind = kind_of_bytes(answer.data)
        look, sound = None, None
        if kind == FMP4 and init and init.one_sound:
            look = await asyncio.to_thread(look_at_segment, answer.data, init)
        elif kind in (TS, PACKED):
            sound = await asyncio.to_thread(look_at_transport if kind == TS else look_at_packed, answer.data)
        elif kind == UNKNOWN:
            message = f"neither fMP4 nor MPEG-TS nor packed audio: it begins with {answer.data[:12]!a}"
            self._mishap("RFC8216-3", place, message)
        return Part(location=where, kind=kind, size_bytes=size_bytes, look=look, sound=sound), not answer.range_ignored

    async def _index(self, base: str, listing: MediaListing, parts: list[Part]) -> tuple[tuple[int, int], ...] | None:
        """The `sidx` of a single file: between its init section and its first segment."""
        first = listing.segments[0] if listing.segments else None
        init_map: ListedMap | None = first.init_map if first else None
        if not first or not init_map or not parts or parts[0].kind != FMP4 or not parts[0].look:
            return None
        if first.uri != init_map.uri or not first.byte_range or not init_map.byte_range:
            return None
        length_bytes = first.byte_range.offset_bytes - init_map.byte_range.end_bytes
        if not 0 < length_bytes <= INDEX_BYTES_MAX:
            return None
        between = PlaylistByteRange(length_bytes=length_bytes, offset_bytes=init_map.byte_range.end_bytes)
        place = Place(resource=base, line=init_map.line)
        answer = await self._get(parts[0].location, place, INDEX_BYTES_MAX, between)
        return look_at_index(answer.data) if answer else None

    _exhausted = False

    async def _get(
        self,
        location: str,
        place: Place,
        bytes_max: int,
        byte_range: PlaylistByteRange | None = None,
        *,
        playlist: bool = False,
    ) -> Answer | None:
        """The answer, or None with a note of why there is none."""
        if self._exhausted:
            return None
        try:
            async with self._slots:
                return await self._source.get(location, bytes_max=bytes_max, byte_range=byte_range, playlist=playlist)
        except ResourceUnavailable as error:
            self._mishap("RFC8216-6.2.1", place, f"cannot be had, {error.message}: {location}")
        except InsecureServer as error:
            if error.subject not in self._insecure:  # one server, one finding
                self._insecure.add(error.subject)
                self._mishap("APPLE-12.1", place, f"{error.subject}: {error.message}")
        except OutOfReach as error:
            self._out_of_reach(place, error)
        except InspectionLimit as error:
            self._exhausted = self._exhausted or not error.subject  # what has a subject is one resource too large
            self._not_seen(location, error.message)
        return None

    def _resolved(self, base: str, uri: str, line: int) -> str | None:
        try:
            return self._source.resolve(base, uri)
        except InspectionError as error:
            self._out_of_reach(Place(resource=base, line=line), error)
            return None

    def _out_of_reach(self, place: Place, error: InspectionError) -> None:
        """On the network a fault: clients do not follow. In a folder only nothing that we look at."""
        if self._source.remote:
            self._mishap("CLIENT-scheme", place, str(error))
        else:
            self._not_seen(place.resource, str(error))

    def _summed_up(self, location: str, parts: list[Part], inits: Mapping[int, InitLook]) -> None:
        kinds = {part.kind for part in parts if part.size_bytes is not None}
        sounds = [part.sound for part in parts if part.sound]
        if any(each.others for each in sounds):
            self._not_seen(location, "streams beside the sound in MPEG-TS")
        if any(not each.frames and each.codecs for each in sounds):
            self._not_seen(location, "frames of LATM, without a configuration that we know")
        if any(part.kind == FMP4 and part.size_bytes and not part.look for part in parts) and any(
            init.tracks and not init.one_sound for init in inits.values()
        ):
            self._not_seen(location, "segments of anything but one audio track: their insides are not looked into")
        if ENCRYPTED in kinds:
            self._not_seen(location, "encrypted segments: without keys their boxes are not looked into")

    def _delivered(self, what: str, answer: Answer) -> None:
        if self._source.remote:
            self.deliveries.append(
                Delivery(
                    location=answer.location,
                    what=what,
                    headers=answer.headers,
                    redirects=answer.redirects,
                    size_bytes=len(answer.data),
                    range_ignored=answer.range_ignored,
                )
            )

    def _mishap(self, rule: str, place: Place, message: str) -> None:
        if len(self.mishaps) < MISHAPS_MAX:
            self.mishaps.append(Mishap(rule=rule, place=place, message=message))

    def _not_seen(self, resource: str, reason: str) -> None:
        if len(self.unseen) < UNSEEN_MAX:
            note = Unseen(resource=resource, reason=reason)
            if note not in self.unseen:
                self.unseen.append(note)

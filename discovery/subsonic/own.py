"""What is a listener's own: stars, plays and playlists. Each method of an endpoint's name blocks for a moment."""

from collections.abc import Mapping, Sequence

from catalog.favourites import Favourites
from catalog.play_queues import PlayQueue, PlayQueues
from catalog.playlists import EntryRow, PlaylistChange, PlaylistRow
from catalog.plays import Heard, PlayRow, Plays
from catalog.ratings import BEST, Ratings
from catalog.schema import TrackRow, album_artist_of
from catalog.shelves import Shelves
from catalog.store import Catalog
from discovery.listening.events import EventTooOld, Kind, PlayEvent
from discovery.listening.listens import happened_at
from discovery.listening.service import now_ms, play_row
from discovery.playlists.library import Library, playlist_name
from discovery.subsonic.answer import Element
from discovery.subsonic.asked import Asked, Code, Refused, not_found
from discovery.subsonic.browse import Browse
from discovery.subsonic.items import Mine, moment
from model.album import album_id_of
from model.errors import PlaylistRefused, PlaylistUnknown
from model.track import derived_id

_STARRED_MAX = 5_000  # that are looked at
_MARKED_MAX = 100  # by one request
_HEARD_MAX = 5_000
_TIME_MAX = 1 << 45
_KINDS = ("id", "albumId", "artistId")
_SOURCE = "subsonic"


class Own:
    """One listener's stars, plays and playlists."""

    def __init__(
        self,
        listener_id: str,
        *,
        catalog: Catalog,
        favourites: Favourites,
        ratings: Ratings,
        queues: PlayQueues,
        plays: Plays,
        library: Library,
        kept_ms: int,
    ) -> None:
        self._listener_id = listener_id
        self._catalog = catalog
        self._favourites = favourites
        self._ratings = ratings
        self._queues = queues
        self._plays = plays
        self._library = library
        self._kept_ms = kept_ms

    def of(self, ids: Sequence[str]) -> Mapping[str, Mine]:
        """What there is of some songs, albums or artists."""
        stars = self._favourites.among(self._listener_id, ids)
        heard = {each.track_id: each for each in self._plays.heard_among(self._listener_id, ids)}
        ratings = self._ratings.among(self._listener_id, ids)
        some = stars.keys() | heard.keys() | ratings.keys()
        return {each: _mine(stars.get(each), heard.get(each), ratings.get(each)) for each in some}

    def starred(self) -> Sequence[str]:
        """The ids of all that has a star, the latest first."""
        found = self._favourites.page(self._listener_id, offset=0, limit=_STARRED_MAX)
        return [each.track_id for each in found]

    def rated(self) -> Sequence[str]:
        """The ids of all that is rated, the best first."""
        return self._ratings.best(self._listener_id, _STARRED_MAX)

    def albums_played(self, *, most: bool) -> Sequence[str]:
        """Ids of albums that were played: the most played first, or those that were played last."""
        heard = self._plays.heard(self._listener_id, limit=_HEARD_MAX)
        rows = self._catalog.rows_of([each.track_id for each in heard])
        counts: dict[str, int] = {}
        for each in heard:
            if row := rows.get(each.track_id):
                album_id = album_id_of(album_artist_of(row), row.album)
                counts[album_id] = counts.get(album_id, 0) + each.listens
        return sorted(counts, key=lambda album_id: -counts[album_id]) if most else list(counts)

    def star(self, browse: Browse, asked: Asked) -> Element:
        """Mark songs, albums and artists."""
        for each in self._marked(browse, asked):
            if not self._favourites.add(self._listener_id, each, at_ms=now_ms()):
                raise Refused(Code.GENERIC, "more stars than are kept")
        return {}

    def unstar(self, browse: Browse, asked: Asked) -> Element:
        """Mark them no more."""
        for each in _marked(asked):
            self._favourites.remove(self._listener_id, each)
        return {}

    def set_rating(self, browse: Browse, asked: Asked) -> Element:
        """Give a song, an album or an artist stars; 0 takes them back."""
        item_id, rating = asked.text("id"), asked.number("rating", -1, most=BEST + 1)
        if rating > BEST:
            raise Refused(Code.GENERIC, f"rating must be from 0 to {BEST}")
        if rating and not browse.has(item_id):
            not_found("song, album or artist")
        if not self._ratings.rate(self._listener_id, item_id, rating, at_ms=now_ms()):
            raise Refused(Code.GENERIC, "more ratings than are kept")
        return {}

    def save_play_queue(self, browse: Browse, asked: Asked) -> Element:
        """Keep what is playing, and what comes, for another device; without songs, keep nothing."""
        track_ids = asked.many("id")
        current = asked.text("current", track_ids[0] if track_ids else "")
        if track_ids and current not in track_ids:
            raise Refused(Code.GENERIC, "current is none of the songs")
        queue = PlayQueue(
            track_ids=[browse.track(each).track_id for each in track_ids],
            current=current,
            position_ms=asked.number("position", 0, most=_TIME_MAX),
            changed_ms=now_ms(),
            changed_by=asked.text("c", ""),
        )
        self._queues.save(self._listener_id, queue)
        return {}

    def get_play_queue(self, browse: Browse, asked: Asked) -> Element:
        """What was kept, without songs that are gone."""
        queue = self._queues.of(self._listener_id)
        if queue is None:
            return {"playQueue": {"username": self._listener_id, "changed": moment(0), "changedBy": "", "entry": []}}
        rows = self._catalog.rows_of(set(queue.track_ids))
        live = [rows[each] for each in queue.track_ids if each in rows and rows[each].live]
        is_there = any(row.track_id == queue.current for row in live)
        shown = {
            "current": queue.current if is_there else None,
            "position": queue.position_ms if is_there else None,
            "username": self._listener_id,
            "changed": moment(queue.changed_ms / 1000),
            "changedBy": queue.changed_by,
            "entry": browse.songs(live),
        }
        return {"playQueue": shown}

    def scrobble(self, browse: Browse, asked: Asked) -> Element:
        """Songs that were heard to their end, for listeners who agreed that plays are kept; told twice, they count
        once. What is only playing now is not kept."""
        track_ids, times = asked.many("id"), asked.numbers("time", most=_TIME_MAX)
        if not track_ids:
            asked.text("id")  # is missing
        if times and len(times) != len(track_ids):
            raise Refused(Code.GENERIC, "there are as many times as ids, or none")
        if asked.flag("submission", default=True):
            now = now_ms()
            rows = zip(map(browse.track, track_ids), times or [now] * len(track_ids), strict=True)
            self._plays.add([self._heard(row, at_ms, now) for row, at_ms in rows])
        return {}

    def get_playlists(self, browse: Browse, asked: Asked) -> Element:
        """The listener's playlists, and those shared with them."""
        found = self._library.playlists.listed(self._listener_id)
        return {"playlists": {"playlist": [self._shown(each) for each in found]}}

    def get_playlist(self, browse: Browse, asked: Asked) -> Element:
        """One playlist with its songs."""
        return self._whole(browse, self._readable(asked.text("id")))

    def create_playlist(self, browse: Browse, asked: Asked) -> Element:
        """A new playlist, or other songs in an old one."""
        entries = self._entries(asked.many("songId"))
        playlist_id = asked.text("playlistId", "")
        if playlist_id:
            self._library.playlists.change(playlist_id, self._listener_id, PlaylistChange(), entries=entries)
            return self._whole(browse, self._readable(playlist_id))
        name = playlist_name(asked.text("name"))
        return self._whole(browse, self._library.playlists.create(self._listener_id, name=name, entries=entries))

    def update_playlist(self, browse: Browse, asked: Asked) -> Element:
        """Other names, songs more and songs less; songs to remove are counted before any is added."""
        row = self._readable(asked.text("playlistId"))
        added = self._entries(asked.many("songIdToAdd"))
        removed = set(asked.numbers("songIndexToRemove", most=_TIME_MAX))
        change = PlaylistChange(
            name=playlist_name(asked.text("name")) if "name" in asked.values else None,
            comment=asked.text("comment") if "comment" in asked.values else None,
            public=asked.flag("public", default=False) if "public" in asked.values else None,
        )
        entries = None
        if removed or added:
            old = self._library.playlists.entries(row.playlist_id)
            entries = [*(each for n, each in enumerate(old) if n not in removed), *added]
        self._library.playlists.change(row.playlist_id, self._listener_id, change, entries=entries, version=row.version)
        return {}

    def delete_playlist(self, browse: Browse, asked: Asked) -> Element:
        """Delete one of the listener's own."""
        self._library.playlists.delete(self._readable(asked.text("id")).playlist_id, self._listener_id)
        return {}

    def _marked(self, browse: Browse, asked: Asked) -> list[str]:
        """The ids that are to have a star. Raises Refused if one is of nothing."""
        _marked(asked)
        shelves = Shelves(self._catalog)
        songs = [browse.track(each).track_id for each in asked.many("id")]
        albums = [each for each in asked.many("albumId") if shelves.albums_of([each]) or not_found("album")]
        artists = [each for each in asked.many("artistId") if shelves.artist(each) or not_found("artist")]
        return [*songs, *albums, *artists]

    def _heard(self, row: TrackRow, at_ms: int, now: int) -> PlayRow:
        played_ms, play_id = round(row.duration_s * 1000), derived_id(row.track_id, str(at_ms))
        event = PlayEvent(
            event_id=play_id, play_id=play_id, track_id=row.track_id, kind=Kind.COMPLETE, at_ms=at_ms,
            position_ms=played_ms, played_ms=played_ms, source=_SOURCE,
        )  # fmt: skip
        try:
            happened_ms = happened_at(event, sent_at_ms=None, now_ms=now, kept_ms=self._kept_ms)
        except EventTooOld as error:
            raise Refused(Code.GENERIC, "that was too long ago") from error
        return play_row(self._listener_id, event, happened_ms, duration_s=row.duration_s)

    def _entries(self, track_ids: Sequence[str]) -> list[EntryRow]:
        try:
            return self._library.entries_of(track_ids)
        except PlaylistRefused:
            not_found("song")

    def _readable(self, playlist_id: str) -> PlaylistRow:
        try:
            return self._library.playlists.get(playlist_id, self._listener_id)
        except PlaylistUnknown:
            not_found("playlist")

    def _whole(self, browse: Browse, row: PlaylistRow) -> Element:
        tracks = [each.track for each in self._library.shown(row)[0] if each.track]
        shown = {"songCount": len(tracks), "duration": round(sum(each.duration_s for each in tracks))}
        return {"playlist": {**self._shown(row), **shown, "entry": browse.songs(tracks)}}

    def _shown(self, row: PlaylistRow) -> Element:
        own = row.listener_id == self._listener_id
        return {
            "id": row.playlist_id,
            "name": row.name,
            "comment": row.comment or None,
            "owner": row.listener_id if own else "somebody else",
            "public": row.public,
            "readonly": bool(row.rules) or not own,
            "songCount": row.entries,
            "duration": 0,
            "created": moment(row.created_s),
            "changed": moment(row.changed_s),
        }


def _marked(asked: Asked) -> list[str]:
    """The ids of all kinds. Raises Refused for more than are changed at once: each is a write of its own."""
    found = [item for kind in _KINDS for item in asked.many(kind)]
    if len(found) > _MARKED_MAX:
        raise Refused(Code.GENERIC, f"at most {_MARKED_MAX} at once")
    return found


def _mine(starred_ms: int | None, heard: Heard | None, rating: int | None) -> Mine:
    return Mine(
        rating=rating,
        starred_s=None if starred_ms is None else starred_ms / 1000,
        plays=heard.listens if heard else None,
        played_s=heard.last_played_ms / 1000 if heard else None,
    )

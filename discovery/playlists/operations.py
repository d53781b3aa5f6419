"""What the API offers for playlists: the shapes of what is asked and answered, and the operations. Pure."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from catalog.playlists import ENTRIES_MAX
from discovery.operations import Group, Operation, Who
from discovery.parameters import Number, Text
from discovery.playlists.entries import BYTES_MAX, COMMENT_CHARS_MAX, NAME_CHARS_MAX, PlaylistFileInvalid
from discovery.playlists.formats import FORMATS
from discovery.playlists.nsp import RuleInvalid
from discovery.tracks import Track
from model.errors import PlaylistChanged, PlaylistRefused, PlaylistUnknown

_ID = r"^[a-z2-7]{16,26}$"
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
Comment = Annotated[str, Meta(max_length=COMMENT_CHARS_MAX)]
TrackIds = Annotated[list[Annotated[str, Meta(pattern=_ID)]], Meta(max_length=ENTRIES_MAX)]
ListenerIds = Annotated[list[Annotated[str, Meta(pattern=_ID)]], Meta(max_length=100)]
EntryId = Annotated[int, Meta(ge=1, le=999_999_999)]


class NewPlaylist(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A playlist of tracks, or of rules (docs/playlists.md)."""

    name: Name
    comment: Comment = ""
    public: bool = False
    track_ids: TrackIds = []
    rules: dict[str, Any] | None = None


class PlaylistEdit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is changed of a playlist; what is left out stays."""

    name: Name | UnsetType = UNSET
    comment: Comment | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    rules: dict[str, Any] | UnsetType = UNSET


class NewEntries(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tracks, and the entry that they come before; at the end without one."""

    track_ids: TrackIds
    before: EntryId | None = None


class Readers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Listeners, by their ids: those who are invited, and those who are no more."""

    invite: ListenerIds = []
    remove: ListenerIds = []


class Place(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The entry that another comes before; null is the end."""

    before: EntryId | None


class Playlist(Struct, frozen=True, kw_only=True):
    """A playlist without its entries. `entries` is 0 where rules make it; the rules are shown to its owner."""

    playlist_id: str
    name: str
    comment: str
    public: bool
    own: bool
    by_rules: bool
    rules: dict[str, Any] | None
    entries: int
    version: int
    created_s: int
    changed_s: int


class PlaylistList(Struct, frozen=True, kw_only=True):
    """A page of a listener's playlists, and of others' that they follow or were invited to; how many in all."""

    playlists: list[Playlist]
    total: int


class PlaylistEntry(Struct, frozen=True, kw_only=True):
    """An entry. `track` is null if there is no such track now: then the names are what it was called."""

    entry_id: int
    track_id: str | None
    title: str
    artist: str
    album: str
    duration_s: float | None
    track: Track | None


class PlaylistEntries(Struct, frozen=True, kw_only=True):
    """A page of a playlist's entries, how many there are in all, and the version that they are of."""

    entries: list[PlaylistEntry]
    total: int
    version: int


class Changed(Struct, frozen=True, kw_only=True):
    """The new version of a playlist, and the ids of what was added."""

    version: int
    entry_ids: list[int] = []


class MissingEntry(Struct, frozen=True, kw_only=True):
    """An entry of a file for which there is no track: its place from 1, and what the file says."""

    entry: int
    title: str
    artist: str
    uri: str


class ImportedPlaylist(Struct, frozen=True, kw_only=True):
    """The playlist that was made of a file, and what of it was not found."""

    playlist: Playlist
    missing: list[MissingEntry]


_ALL = "/api/v1/playlists"
_ONE = f"{_ALL}/{{playlist_id}}"
_TRACKS = f"{_ONE}/tracks"
_ENTRY = f"{_TRACKS}/{{entry_id}}"
_FOLLOWED = f"{_ONE}/followed"
_ENTRY_ID = {"entry_id": "[1-9][0-9]{0,8}"}
_PAGE = (
    Number(name="offset", default=0, least=0, most=10_000_000, help="how many to leave out"),
    Number(name="limit", default=100, least=1, most=500, help="how many"),
)
_CHANGING = (PlaylistUnknown, PlaylistChanged, PlaylistRefused)
_ENTRIES_BYTES = 512 << 10  # as many track ids as a playlist may have
LIST = Operation(
    method="GET", path=_ALL, summary="one's own playlists, and others' that one follows", parameters=_PAGE,
    answer=PlaylistList, who=Who.LISTENER,
)  # fmt: skip
CREATE = Operation(
    method="POST", path=_ALL, summary="a new playlist", body=NewPlaylist, body_bytes_max=_ENTRIES_BYTES,
    answer=Playlist, status=201, who=Who.LISTENER, group=Group.WRITE, refusals=(PlaylistRefused, RuleInvalid),
)  # fmt: skip
IMPORT = Operation(
    method="POST", path=f"{_ALL}/import", summary="a new playlist from a file: M3U8, XSPF, JSPF, or .nsp as JSON",
    parameters=(Text(name="name", chars_max=NAME_CHARS_MAX, help="what it is called if the file does not say"),),
    body=bytes, body_types=("audio/x-mpegurl", "application/xspf+xml", "application/json"), body_bytes_max=BYTES_MAX,
    answer=ImportedPlaylist, status=201, who=Who.LISTENER, group=Group.HEAVY,
    refusals=(PlaylistFileInvalid, RuleInvalid, PlaylistRefused),
)  # fmt: skip
READ = Operation(
    method="GET", path=_ONE, summary="a playlist that one may read", answer=Playlist, who=Who.EITHER,
    refusals=(PlaylistUnknown,),
)  # fmt: skip
REPLACE = Operation(
    method="PUT", path=_ONE, summary="other names and tracks, or rules, in the place of all that there are",
    body=NewPlaylist, body_bytes_max=_ENTRIES_BYTES, answer=Changed, who=Who.LISTENER, group=Group.WRITE,
    refusals=(*_CHANGING, RuleInvalid),
)  # fmt: skip
EDIT = Operation(
    method="PATCH", path=_ONE, summary="change names, rules, and whether it is public", body=PlaylistEdit,
    answer=Changed, who=Who.LISTENER, group=Group.WRITE, refusals=(*_CHANGING, RuleInvalid),
)  # fmt: skip
DELETE = Operation(
    method="DELETE", path=_ONE, summary="delete a playlist", answer=None, status=204, who=Who.LISTENER,
    group=Group.WRITE, refusals=_CHANGING,
)  # fmt: skip
ENTRIES = Operation(
    method="GET", path=_TRACKS, summary="the entries of a playlist, in their order", parameters=_PAGE,
    answer=PlaylistEntries, who=Who.EITHER, refusals=(PlaylistUnknown, PlaylistRefused, RuleInvalid),
)  # fmt: skip
ADD = Operation(
    method="POST", path=_TRACKS, summary="add tracks", body=NewEntries, body_bytes_max=_ENTRIES_BYTES, answer=Changed,
    status=201, who=Who.LISTENER, group=Group.WRITE, refusals=_CHANGING,
)  # fmt: skip
MOVE = Operation(
    method="PATCH", path=_ENTRY, forms=_ENTRY_ID, summary="move an entry", body=Place, answer=Changed,
    who=Who.LISTENER, group=Group.WRITE, refusals=_CHANGING,
)  # fmt: skip
REMOVE = Operation(
    method="DELETE", path=_ENTRY, forms=_ENTRY_ID, summary="take an entry out", answer=Changed, who=Who.LISTENER,
    group=Group.WRITE, refusals=_CHANGING,
)  # fmt: skip
FOLLOW = Operation(
    method="PUT", path=_FOLLOWED, summary="have another's public playlist in one's list", answer=None, status=204,
    who=Who.LISTENER, group=Group.WRITE, refusals=(PlaylistUnknown, PlaylistRefused),
)  # fmt: skip
UNFOLLOW = Operation(
    method="DELETE", path=_FOLLOWED, summary="have another's playlist in one's list no more", answer=None, status=204,
    who=Who.LISTENER, group=Group.WRITE, refusals=(PlaylistUnknown,),
)  # fmt: skip
SHARE = Operation(
    method="PATCH", path=f"{_ONE}/readers", summary="let other listeners read one's own playlist, or no more",
    body=Readers, answer=None, status=204, who=Who.LISTENER, group=Group.WRITE,
    refusals=(PlaylistUnknown, PlaylistRefused),
)  # fmt: skip
EXPORTS = {
    name: Operation(
        method="GET", path=f"{_ONE}/export.{name}", summary=f"the playlist as a file: {name}", answer=bytes,
        answer_types=(form.media_type,), who=Who.EITHER, group=Group.HEAVY,
        refusals=(PlaylistUnknown, PlaylistRefused, RuleInvalid),
    )
    for name, form in FORMATS.items()
}  # fmt: skip

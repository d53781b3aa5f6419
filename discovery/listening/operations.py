"""What listeners can ask for of their plays, favourites, consent and data, as the API describes it."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from discovery.listening.events import EVENTS_MAX, EventInvalid
from discovery.operations import Group, Operation, Who
from discovery.parameters import Number
from discovery.tracks import Track
from model.errors import ConsentMissing, RequestError

BODY_BYTES_MAX = 512 << 10
_PAGE = (
    Number(name="offset", default=0, least=0, most=1_000_000, help="how many to leave out"),
    Number(name="limit", default=50, least=1, most=200, help="how many"),
)


class TooManyFavourites(RequestError):
    """A listener has as many favourites as it may have."""

    code = "too-many-favourites"
    http_status = 409


class Events(Struct, frozen=True, kw_only=True):
    """A batch of play events. `sent_at_ms` is the player's clock when it is sent: one that is wrong is set right by it.

    Each event has `event_id` and `play_id` (8 to 64 letters, digits, - and _; a play is one time that a track was
    started), `track_id`, `kind` (start, progress, skip, complete), `at_ms` (the player's clock), and may have
    `position_ms`, `played_ms` (heard of this play so far), `source` (album:ID, station:ID, search) and `reason`.
    """

    events: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=EVENTS_MAX)]
    sent_at_ms: int | None = None


class RefusedEvent(Struct, frozen=True, kw_only=True):
    """An event that was not kept: its place in the batch, its id if it had one, and why."""

    index: int
    event_id: str
    error: str
    where: str
    message: str


class Kept(Struct, frozen=True, kw_only=True):
    """How many events of a batch are kept, now or before, and which are not."""

    kept: int
    refused: list[RefusedEvent]


class PlayedTrack(Struct, frozen=True, kw_only=True):
    """One time that a track was played: when it began, and how much of it was heard."""

    track: Track
    began_ms: int
    played_ms: int
    listened: bool
    skipped: bool
    source: str


class History(Struct, frozen=True, kw_only=True):
    """A page of plays without those of tracks that are not live; `more`: whether there is another page."""

    plays: list[PlayedTrack]
    more: bool


class Consent(Struct, frozen=True, kw_only=True):
    """Whether the listener agreed that its plays are kept, and since when."""

    history: bool
    since_ms: int | None = None


class NewConsent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agree, or not any more: then all that was kept of plays is deleted."""

    history: bool


class Mark(Struct, frozen=True, kw_only=True):
    """Whether a track is a favourite, and since when."""

    track_id: str
    favourite: bool
    since_ms: int | None


class FavouriteTrack(Struct, frozen=True, kw_only=True):
    """A favourite, and since when it is one."""

    track: Track
    since_ms: int


class FavouriteTracks(Struct, frozen=True, kw_only=True):
    """A page of favourites without those that are not live, and how many there are in all."""

    favourites: list[FavouriteTrack]
    total: int


EVENTS = Operation(
    method="POST", path="/api/v1/events", summary="what was played; a batch may be sent again, and counts once",
    body=Events, body_bytes_max=BODY_BYTES_MAX, answer=Kept, who=Who.LISTENER, group=Group.EVENTS,
    refusals=(ConsentMissing, EventInvalid),
)  # fmt: skip
HISTORY = Operation(
    method="GET", path="/api/v1/history", summary="the last plays, the latest first", parameters=_PAGE, answer=History,
    who=Who.LISTENER,
)  # fmt: skip
CONSENT = Operation(
    method="GET", path="/api/v1/consent", summary="whether plays are kept", answer=Consent, who=Who.LISTENER
)
SET_CONSENT = Operation(
    method="PUT", path="/api/v1/consent", summary="agree that plays are kept, or delete them", body=NewConsent,
    answer=Consent, who=Who.LISTENER, group=Group.WRITE,
)  # fmt: skip
FAVOURITES = Operation(
    method="GET", path="/api/v1/favourites", summary="favourites, the latest first", parameters=_PAGE,
    answer=FavouriteTracks, who=Who.LISTENER,
)  # fmt: skip
FAVOURITE = Operation(
    method="GET", path="/api/v1/favourites/{track_id}", summary="whether a track is a favourite", answer=Mark,
    who=Who.LISTENER,
)  # fmt: skip
MARK = Operation(
    method="PUT", path="/api/v1/favourites/{track_id}", summary="make a track a favourite", answer=Mark,
    who=Who.LISTENER, group=Group.WRITE, refusals=(TooManyFavourites,),
)  # fmt: skip
UNMARK = Operation(
    method="DELETE", path="/api/v1/favourites/{track_id}", summary="make a track a favourite no more", answer=Mark,
    who=Who.LISTENER, group=Group.WRITE,
)  # fmt: skip
EXPORT = Operation(
    method="GET", path="/api/v1/listeners/me/export", summary="all that is kept of the listener, by table and column",
    answer=bytes, who=Who.LISTENER, group=Group.HEAVY,
)  # fmt: skip
FORGET = Operation(
    method="DELETE", path="/api/v1/listeners/me", summary="delete the listener and all that is kept of it", answer=None,
    status=204, who=Who.LISTENER, group=Group.WRITE,
)  # fmt: skip

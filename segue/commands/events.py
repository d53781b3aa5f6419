"""`segue events`: what listeners played: import it from elsewhere; rank the search index by it; drop what is old."""

import argparse
import time
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from catalog.listener_data import prune_listeners
from catalog.listener_database import ListenerDatabase
from catalog.plays import DAY_MS, IMPORTED, PlayRow, Plays
from catalog.schema import TrackRow
from catalog.search_postings import Group
from catalog.shelves import Shelves
from catalog.store import Catalog
from discovery.listening.events import EventInvalid, Kind, PlayEvent
from discovery.listening.history_files import Line, Listen, read_history
from discovery.listening.service import HALF_LIFE_DAYS, play_row
from discovery.playlists.match import LookUps, matched
from discovery.search import SearchIndex
from discovery.search_follow import compare, popular_first
from discovery.sync import sync
from model.album import artist_id_of
from model.errors import ConsentMissing, TrackUnknown, UsageError
from model.track import derived_id
from segue.asked import check_listener_id
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_catalog, opened_listeners, opened_postings, opened_store
from segue.output import Output

HELP = "what listeners played: import it, rank search by it, drop what is old"
SETTINGS = ("store", "catalog", "listeners", "search_index", "retention_days")
EXAMPLE = "segue events import listens.jsonl --listener LISTENER_ID --store file:store"
AT_ONCE = 500
SEARCHES_MAX = 100_000  # an operator waits
CANDIDATES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with what."""
    parser.add_argument("action", choices=("import", "rank", "prune"), help="rank: the popular first in search")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="import: JSON lines, or ListenBrainz'")
    parser.add_argument("--listener", default="", metavar="LISTENER_ID", help="import: who played it")
    parser.add_argument("--consent", action="store_true", help="import: the listener told you that it agrees")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Do it; 1 if some of a file could not be taken."""
    if not (config["store"] or config["catalog"]):
        raise UsageError("whose plays?", hint="say --store file:PATH as `segue serve` has it, or --catalog FILE")
    if (arguments.action == "import") != bool(arguments.files):
        raise UsageError("import takes files, and nothing else does", hint=f"as in: {EXAMPLE}")
    if arguments.files:
        check_listener_id(arguments.listener)
    return run_loop(_run(config, arguments, output))


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    async with opened_catalog(config) as catalog, opened_listeners(config) as database:
        if config["store"] and arguments.action != "prune":
            async with opened_store(config) as store:
                await sync(store, catalog)
        match arguments.action:
            case "import":
                return _import(config, arguments, output, catalog, database)
            case "rank":
                return await _rank(config, output, catalog, Plays(database))
            case _:
                before_ms = _now_ms() - config["retention_days"] * DAY_MS
                dropped = Plays(database).prune(before_ms=before_ms)
                unused = prune_listeners(database, before_s=before_ms // 1000)
                output.data({"event": "summary", "dropped": dropped, "unused": unused})
                output.say(f"{dropped} events dropped, and {unused} listeners whom nobody used")
                return 0


async def _rank(config: Config, output: Output, catalog: Catalog, plays: Plays) -> int:
    with opened_postings(config) as postings:
        popularity = plays.popularity(now_ms=_now_ms(), half_life_days=HALF_LIFE_DAYS)
        tracks = postings.fill(popular_first(catalog, popularity))
        if config["store"]:  # what others took up meanwhile went into the index that was
            async with opened_store(config) as store:
                await sync(store, catalog)
        compare(catalog, postings)
    output.data({"event": "summary", "tracks": tracks, "popular": len(popularity)})
    output.say(f"{tracks} tracks, of which {len(popularity)} were listened to lately")
    return 0


def _import(
    config: Config, arguments: argparse.Namespace, output: Output, catalog: Catalog, database: ListenerDatabase
) -> int:
    plays, listener_id = Plays(database), arguments.listener
    if arguments.consent:
        plays.consent(listener_id, at_ms=_now_ms())
    if plays.consented_at_ms(listener_id) is None:
        hint = "ask, then say --consent; or the listener says so itself: PUT /api/v1/consent"
        raise ConsentMissing("the listener did not agree that its plays are kept", hint=hint)
    taken = failed = 0
    with ExitStack() as opened:
        postings = opened.enter_context(opened_postings(config))
        compare(catalog, postings)
        look_ups = _look_ups(catalog, SearchIndex(postings))
        for path in arguments.files:
            lines = read_history(_read(path))
            while some := list(islice(lines, AT_ONCE)):
                rows, wrong = _rows_of(listener_id, some, look_ups)
                plays.add(rows)
                taken += len(rows)
                failed += len(wrong)
                for number, error in wrong.items():
                    output.data({"event": "refused", "file": str(path), "line": number, "code": error.code})
                    output.say(f"{path}, line {number}: {error}")
    output.data({"event": "summary", "taken": taken, "failed": failed})
    output.say(f"{taken} taken, {failed} not")
    return 1 if failed else 0


def _rows_of(
    listener_id: str, lines: Iterable[Line], look_ups: LookUps
) -> tuple[list[PlayRow], dict[int, EventInvalid | TrackUnknown]]:
    """What can be kept of some lines, and what is wrong with the others."""
    wrong: dict[int, EventInvalid | TrackUnknown] = {}
    listens = [(line.number, line.found) for line in lines if isinstance(line.found, Listen)]
    events = [(line.number, line.found) for line in lines if isinstance(line.found, PlayEvent)]
    wrong |= {line.number: line.found for line in lines if isinstance(line.found, EventInvalid)}
    known = look_ups.rows_of({event.track_id for _, event in events})
    found: list[tuple[int, PlayEvent, TrackRow | None]] = [(at, each, known.get(each.track_id)) for at, each in events]
    tracks = matched([listen.entry for _, listen in listens], look_ups)
    found += [(at, _event(each, row), row) for (at, each), row in zip(listens, tracks, strict=True)]
    rows = []
    for number, event, row in found:
        if row is None:
            wrong[number] = TrackUnknown("no such track here", subject="track")
        else:
            rows.append(play_row(listener_id, event, min(event.at_ms, _now_ms()), row.duration_s, kind=IMPORTED))
    return rows, wrong


def _event(listen: Listen, row: TrackRow | None) -> PlayEvent:
    """A listen as an event, which has the same ids however often it is imported."""
    own_id = derived_id("listen", str(listen.at_ms), listen.entry.artist, listen.entry.title)
    return PlayEvent(
        event_id=own_id,
        play_id=own_id,
        track_id=row.track_id if row else "",
        kind=Kind.COMPLETE,
        at_ms=listen.at_ms,
        played_ms=round(row.duration_s * 1000) if row else 0,
        source=IMPORTED,
    )


def _look_ups(catalog: Catalog, search: SearchIndex) -> LookUps:
    shelves = Shelves(catalog)

    def searched(text: str) -> list[str]:
        found = search.search(text, limit=CANDIDATES, groups=frozenset([Group.TRACK]))
        return [each.track_id for each in found.tracks]

    return LookUps(
        rows_of=catalog.rows_of,
        of_artist=lambda name: shelves.tracks_by(artist_id_of(name), 1000),
        search=searched,
        searches_max=SEARCHES_MAX,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", subject=str(path)) from error


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""The API: what it offers, put together, and kept in step with the store while the application runs."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from catalog.app_passwords import AppPasswords
from catalog.listener_database import ListenerDatabase
from catalog.listeners import Listeners
from catalog.play_queues import PlayQueues
from catalog.playlists import Playlists
from catalog.plays import DAY_MS
from catalog.ratings import Ratings
from catalog.search_postings import Postings
from catalog.store import Catalog
from discovery.accounts import Accounts
from discovery.following import RANK_EVERY_S, Following
from discovery.frame import Frame
from discovery.library import Library
from discovery.listening.service import RETENTION_DAYS, Listening
from discovery.openapi import DOCUMENT, openapi
from discovery.operations import Call, Served
from discovery.playlists.library import Library as PlaylistLibrary
from discovery.playlists.web import PlaylistApi
from discovery.rates import Rates
from discovery.recommend.web import Recommending
from discovery.search import SearchIndex
from discovery.search_open import open_postings
from discovery.search_web import Searching
from discovery.sequence.mixer import Mixer
from discovery.sequence.operations import Mixes
from discovery.sequence.pool import CatalogCandidates
from discovery.sequence.sounds import CatalogSounds
from discovery.subsonic.door import Door
from discovery.subsonic.similar import Similar
from discovery.subsonic.web import Parts, Subsonic
from protection.keys import NO_KEYS, KeyRing
from storage.base import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """How the index follows the store, where the search index is kept (`search_open.py` has the addresses), and whom
    the API serves how often.

    What was told of changes is looked at every `sync_interval_s`. All tracks are listed a tenth as often, or less in a
    store that takes long to list: that takes at most one part in `sync_rest` of the time. `sign_up`: anybody may become
    a listener. `models` is the folder of models for recommendations; None: the popular is recommended. `rate_factor`
    and `proxies` are of `rates.py` and `frame.py`.
    """

    sync_interval_s: float = 0.5
    sync_rest: float = 20.0
    search_index: str = ""
    retention_days: int = RETENTION_DAYS
    sign_up: bool = True
    rate_factor: float = 1.0
    proxies: int = 0
    models: Path | None = None

    def __post_init__(self) -> None:
        if not self.sync_interval_s > 0:
            raise ValueError(f"sync_interval_s must be positive, got {self.sync_interval_s}")
        if not self.sync_rest >= 1:
            raise ValueError(f"sync_rest must be at least 1, got {self.sync_rest}")
        if not (self.rate_factor >= 0 and self.proxies >= 0):
            raise ValueError(f"rate_factor and proxies are not negative, got {self.rate_factor} and {self.proxies}")


def add_routes(
    app: web.Application,
    *,
    catalog: Catalog,
    listeners: ListenerDatabase,
    store: ObjectStore,
    settings: DiscoverySettings,
    keys: KeyRing = NO_KEYS,
    signed: Callable[[str], str] = str,
    playlists: PlaylistLibrary | None = None,
    sounds: CatalogSounds | None = None,
    synced: Callable[[], None] = lambda: None,
) -> Frame:
    """Add the API, and a task that keeps catalog and search index in step with the store while the application runs.

    The first sync ends before the application is ready. A store that cannot be listed is no reason not to start:
    what the catalog knows is served, and the next round tries again. So it is with a search index in a server.
    `synced` is called whenever a sync succeeded. `keys` are what app passwords come from; `signed` makes a path of the
    origin one that a listener may follow for a while. `playlists` and `sounds` are those that something else in the
    process works on, too. Gives what knows listeners by the keys in their requests, for whoever else serves them.
    """
    sounds = sounds or CatalogSounds(catalog)
    playlists = playlists or PlaylistLibrary(catalog=catalog, playlists=Playlists(listeners))
    listening = Listening(listeners, catalog, retention_days=settings.retention_days)
    searching = Searching(catalog, listening.own)
    recommending = Recommending(catalog, listeners, settings.models)
    _follow(app, store, catalog, settings, searching, listening, recommending, sounds, synced)
    accounts = Listeners(listeners)
    rates = Rates(settings.rate_factor)
    mixer = Mixer(CatalogCandidates(catalog, sounds, recommending.together))
    frame = Frame(accounts, rates, proxies=settings.proxies)
    served = (
        *Library(catalog).served,
        *searching.served,
        *Mixes(catalog, mixer).served,
        *recommending.served,
        *Accounts(accounts, is_open=settings.sign_up).served,
        *listening.served,
        *PlaylistApi(playlists, lambda: searching.index).served,
    )
    document = openapi(each.operation for each in served)

    async def described(_: Call) -> dict[str, Any]:
        return document

    frame.add(app, (*served, Served(DOCUMENT, described)))
    parts = Parts(
        catalog=catalog,
        store=store,
        index=lambda: searching.index,
        door=Door(accounts, AppPasswords(listeners), keys),
        favourites=listening.favourites,
        ratings=Ratings(listeners),
        queues=PlayQueues(listeners),
        plays=listening.plays,
        library=playlists,
        similar=Similar(lambda: recommending.recommender, mixer),
        rates=rates,
        proxies=settings.proxies,
        kept_ms=settings.retention_days * DAY_MS,
        signed=signed,
    )
    Subsonic(parts).add_routes(app)
    return frame


def _follow(
    app: web.Application,
    store: ObjectStore,
    catalog: Catalog,
    settings: DiscoverySettings,
    searching: Searching,
    listening: Listening,
    recommending: Recommending,
    sounds: CatalogSounds,
    synced: Callable[[], None],
) -> None:
    """Have catalog, index, model and sounds kept up to date while the application runs."""

    async def following(_: web.Application) -> AsyncIterator[None]:
        def opened(postings: Postings) -> None:
            searching.index = SearchIndex(postings)

        followed = Following(
            store,
            catalog,
            interval_s=settings.sync_interval_s,
            rest=settings.sync_rest,
            postings=lambda: open_postings(settings.search_index),
            opened=opened,
            synced=synced,
            popularity=listening.popularity,
            rank_every_s=0.0 if settings.search_index else RANK_EVERY_S,  # one that is shared is ranked by its operator
        )
        async with listening.running(), followed.running():
            yield

    async def recommending_followed(_: web.Application) -> AsyncIterator[None]:
        async with recommending.following(), sounds.following():
            yield

    app.cleanup_ctx.extend((following, recommending_followed))

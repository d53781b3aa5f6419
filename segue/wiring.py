"""What is built from what: settings in, the stages' work orders out."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from avtool.locate import Ffmpeg, locate
from catalog.ledger import Ledger
from catalog.listener_database import ListenerDatabase
from catalog.search_postings import Postings
from catalog.store import Catalog
from catalog.turns import Turns
from discovery.search_open import open_postings
from ingest.metadata.reader import Reader
from ingest.metadata.sidecar import Sidecar
from ingest.objects import Buckets
from ingest.settings import IngestSettings
from ingest.work import Ingest
from model.errors import UsageError
from model.events import Observer
from model.loudness import LoudnessMode, LoudnessTarget
from model.protection import ProtectionMethod
from packager.order import Packaging
from packager.protect import Protector
from packager.settings import PackageSettings
from protection.key_store import key_folder, load_keys
from protection.keys import NO_KEYS, KeyRing
from segue.config import Config
from segue.engine import engagement
from storage.address import FileAddress, parse_address
from storage.base import ObjectStore
from storage.open import S3Credentials, open_store
from storage.retry import RetryPolicy
from storage.s3_limits import S3Limits

READERS_MAX = 2  # reading tags takes milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Everything that working on tracks needs."""

    store: ObjectStore
    tool: Ffmpeg
    ingest: Ingest
    packaging: Packaging
    jobs: int  # tracks worked on at the same time


def store_url(config: Config) -> str:
    """The store that was named. Raises UsageError if none was."""
    url: str = config["store"]
    if not url:
        raise UsageError("no store", hint="say --store file:PATH, or set SEGUE_STORE")
    return url


def credentials(config: Config) -> S3Credentials | None:
    """The keys of the S3 service, None if there are none."""
    access, secret = config["s3_access_key"], config["s3_secret_key"]
    return S3Credentials(access_key=access, secret_key=secret) if access and secret else None


def source_credentials(config: Config) -> S3Credentials | None:
    """The keys of the S3 service that sources lie in: their own, else the store's."""
    access, secret = config["source_access_key"], config["source_secret_key"]
    return S3Credentials(access_key=access, secret_key=secret) if access and secret else credentials(config)


def serving_limits(deadline_s: float) -> S3Limits:
    """For a store that listeners wait for: three tries, and an answer or an error of its own within `deadline_s`."""
    return S3Limits(
        connect_timeout_s=0.15 * deadline_s,
        read_timeout_s=0.3 * deadline_s,
        retry=RetryPolicy(attempts=3, total_s=0.9 * deadline_s, first_pause_s=0.1, pause_max_s=1.0),
        failures_in_a_row_max=5,
    )


@asynccontextmanager
async def opened_store(config: Config) -> AsyncIterator[ObjectStore]:
    """The store, closed afterwards."""
    store = open_store(store_url(config), s3_credentials=credentials(config))
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def opened_catalog(config: Config) -> AsyncIterator[Catalog]:
    """The catalog of the store, closed afterwards."""
    with Catalog(_catalog_path(config)) as catalog:
        yield catalog


@asynccontextmanager
async def opened_listeners(config: Config) -> AsyncIterator[ListenerDatabase]:
    """The listeners' database, closed afterwards."""
    with ListenerDatabase(config.listeners_path) as listeners:
        yield listeners


@asynccontextmanager
async def opened_search(config: Config) -> AsyncIterator[Postings]:
    """The search index: where it was told to be, else in a file beside the catalog; closed afterwards."""
    with opened_postings(config) as postings:
        yield postings


@contextmanager
def opened_postings(config: Config) -> Iterator[Postings]:
    """The same, outside of an event loop."""
    beside = _catalog_path(config)
    postings = open_postings(config["search_index"], beside.with_name(f"{beside.name}-search"))
    try:
        yield postings
    finally:
        postings.close()


def _catalog_path(config: Config) -> Path:
    path = config.catalog_path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the catalog's folder ({error.strerror})", subject=str(path.parent)) from error
    return path


def key_ring(config: Config, *, create: bool = False) -> KeyRing:
    """The master keys of the key store, none if no key store was named; `create` may make it.

    Raises UsageError, KeyMissing, KeyMalformed or KeyStoreUnsafe.
    """
    url: str = config["key_store"]
    if not url:
        return NO_KEYS
    store = parse_address(store_url(config))
    folder = key_folder(url, store_folder=store.path if isinstance(store, FileAddress) else None)
    return load_keys(folder, create=create)


def protector_of(config: Config, *, create: bool) -> Protector:
    """How packages are protected; `create` may make the key store. Raises as `key_ring` does."""
    method = None if config["protect"] == "off" else ProtectionMethod(config["protect"])
    if method and not config["key_store"]:
        hint = "say --key-store file:PATH, a folder outside the store, or set SEGUE_KEY_STORE"
        raise UsageError("no key store", hint=hint)
    keys = key_ring(config, create=create and method is not None)
    return Protector(method=method, keys=keys, rotation_segments=config["key_rotation"])


@asynccontextmanager
async def workshop(
    config: Config,
    observer: Observer,
    *,
    sidecar: Sidecar | None = None,
    again: bool = False,
    dry_run: bool = False,
    ledger: Ledger | None = None,
) -> AsyncIterator[Workshop]:
    """Store, ledger, ffmpeg, readers of tags, the engine, and the two stages that work on tracks.

    `ledger` takes the place of the store's own, and is closed with the rest.
    """
    protector = protector_of(config, create=not dry_run)
    ingest_settings, package_settings = ingest_settings_of(config, again=again), package_settings_of(config)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(config))
        ledger = stack.enter_context(ledger or Ledger(_catalog_path(config)))
        buckets = await stack.enter_async_context(Buckets(source_credentials(config)))
        engaged = await stack.enter_async_context(engagement(config, observer, again=again))
        reader = await stack.enter_async_context(Reader(processes=min(READERS_MAX, config["jobs"]), sidecar=sidecar))
        tool = await locate(config["ffmpeg"] or None)
        ingest = Ingest(
            settings=ingest_settings,
            tool=tool,
            store=store,
            ledger=ledger,
            reader=reader,
            observer=observer,
            turns=Turns(),
            engine=engaged.engine,
            buckets=buckets,
        )
        slots = asyncio.Semaphore(config["jobs"])
        packaging = Packaging(
            settings=package_settings,
            tool=tool,
            store=store,
            slots=slots,
            observer=observer,
            protector=protector,
            engine=engaged.engine,
        )
        yield Workshop(store=store, tool=tool, ingest=ingest, packaging=packaging, jobs=engaged.jobs)


def ingest_settings_of(config: Config, *, again: bool = False) -> IngestSettings:
    """What an ingest is told."""
    mode = LoudnessMode(config["loudness"])
    target = None
    if mode is not LoudnessMode.OFF:
        try:
            target = LoudnessTarget(integrated_lufs=config["target"], true_peak_dbtp=config["true_peak"])
        except ValueError as error:
            raise UsageError(str(error), hint="-14 LUFS and -1 dBTP suit music") from error
    return IngestSettings(mode=mode, target=target, again=again, scratch_dir=config["scratch"] or None)


def package_settings_of(config: Config) -> PackageSettings:
    """What the packager is told."""
    if not config["aac"]:
        hint = "every HLS client plays AAC; Opus comes on top"
        raise UsageError("a ladder needs at least one AAC rung", hint=hint)
    return PackageSettings(
        aac_bitrates_bps=tuple(1000 * rate for rate in config["aac"]),
        opus_bitrates_bps=tuple(1000 * rate for rate in config["opus"]),
        lossless=config["lossless"] == "on",
        scratch_dir=config["scratch"] or None,
    )

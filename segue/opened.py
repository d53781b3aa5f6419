"""What a store's address opens: the store, its catalog, its listeners, its search index, its keys."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.store import Catalog
from model.errors import UsageError
from protection.key_store import key_folder, load_keys
from protection.keys import NO_KEYS, KeyRing
from segue.config import Config
from storage.address import FileAddress, parse_address
from storage.base import ObjectStore
from storage.open import S3Credentials, open_store
from storage.retry import RetryPolicy
from storage.s3_limits import S3Limits

if TYPE_CHECKING:
    from catalog.listener_database import ListenerDatabase
    from catalog.search_postings import Postings


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
    with Catalog(catalog_path(config), features=config.features) as catalog:
        yield catalog


@asynccontextmanager
async def opened_listeners(config: Config) -> AsyncIterator["ListenerDatabase"]:
    """The listeners' database, closed afterwards."""
    from catalog.listener_open import open_listeners  # noqa: PLC0415 - whoever packages has no use for it

    with open_listeners(config.listeners_address) as listeners:
        yield listeners


@asynccontextmanager
async def opened_search(config: Config) -> AsyncIterator["Postings"]:
    """The search index: where it was told to be, else in a file beside the catalog; closed afterwards."""
    with opened_postings(config) as postings:
        yield postings


@contextmanager
def opened_postings(config: Config) -> Iterator["Postings"]:
    """The same, outside of an event loop."""
    from discovery.search_open import open_postings  # noqa: PLC0415 - 2 MiB that whoever publishes has no use for

    beside = catalog_path(config)
    postings = open_postings(config["search_index"], beside.with_name(f"{beside.name}-search"))
    try:
        yield postings
    finally:
        postings.close()


def catalog_path(config: Config) -> Path:
    """Where the catalog lies; its folder is made. Raises UsageError if it cannot be."""
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

"""`segue serve`: the origin, with the player on its front page."""

import argparse
import ipaddress
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from catalog.listener_open import open_listeners
from catalog.playlists import Playlists
from catalog.store import Catalog
from discovery.playlists.library import Library
from discovery.playlists.listening import KeptListening
from discovery.search_open import check_address
from discovery.sequence.sounds import CatalogSounds
from discovery.web import DiscoverySettings, add_routes
from model.errors import Interrupted, ListenersUnavailable, UsageError
from model.features import FeatureSet
from origin.accept import allow_files, listen
from origin.joined_handlers import add_joined_routes
from origin.serve import base_url, expecting, serve
from origin.settings import Auth, DiskCacheSettings, OriginSettings
from protection.keys import KeyRing
from segue.config import Config, load
from segue.logs import set_up
from segue.loop import run_server
from segue.opened import credentials, key_ring, serving_limits, store_url
from segue.output import Output
from segue.signed import signer
from segue.track_lists import CatalogLists
from segue.worker_process import Ready, WorkerMain
from segue.workers import WorkerPolicy, supervise
from storage.open import S3Credentials, open_store

log = logging.getLogger(__name__)

HELP = "serve the published tracks over HTTP, with a player on the front page"
SETTINGS = (
    "store", "key_store", "auth", "host", "port", "workers", "disk_cache", "disk_cache_bytes", "node_name",
    "access_log_every", "log_listeners", "search_index", "sync_interval", "features", "listeners", "models",
    "sign_up", "rate_limit", "proxies", "retention_days",
)  # fmt: skip
EXAMPLE = "segue serve --store file:store --port 8080"


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What one origin process needs; picklable, for it is handed to worker processes."""

    store: str
    s3: S3Credentials | None
    settings: OriginSettings
    keys: KeyRing
    discovery: DiscoverySettings
    listeners: str
    features: FeatureSet
    log_level: str
    log_format: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has settings only."""


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Serve until SIGTERM or SIGINT, then drain."""
    serving = _serving(config)
    check_address(serving.discovery.search_index)
    _look_at_listeners(serving.listeners)
    open_store(serving.store, s3_credentials=serving.s3)  # a wrong URL is told before any port is opened
    try:
        if config["workers"] == 1:
            run_server(_serve(serving, partial(_announce, output)))
            return 0
        return _serve_together(serving, config["workers"], arguments, output)
    except OSError as error:
        hint = "another program may have it: choose another with --port"
        raise UsageError(
            f"cannot serve on {config['host']} port {config['port']} ({error.strerror})", hint=hint
        ) from error
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted") from error


def _look_at_listeners(address: str) -> None:
    """What cannot be used is told before any port is opened; a server that is away is no reason not to serve music."""
    with open_listeners(address) as listeners:
        try:
            listeners.select("SELECT 1")
        except ListenersUnavailable as error:
            log.warning("listeners' database away", extra={"error_code": error.code, "reason": str(error)})


def _serving(config: Config, *, metrics_folder: Path | None = None) -> Serving:
    auth, keys = Auth(config["auth"]), key_ring(config)
    if (keys or auth is not Auth.NONE) and not config["token_key"]:
        hint = "set SEGUE_TOKEN_KEY: `openssl rand -hex 32` makes one"
        raise UsageError("some need a token, and there is no key to check tokens with", hint=hint)
    return Serving(
        store=store_url(config),
        s3=credentials(config),
        settings=OriginSettings(
            host=config["host"],
            port=config["port"],
            auth=auth,
            token_keys=config["token_key"],
            token_salt=config["token_salt"],
            disk_cache=_disk_cache(config),
            player_root=_player_root(),
            node_name=config["node_name"],
            access_log_every=config["access_log_every"],
            log_listeners=config["log_listeners"] == "on",
            metrics_folder=metrics_folder,
        ),
        keys=keys,
        discovery=DiscoverySettings(
            sync_interval_s=config["sync_interval"],
            search_index=config["search_index"],
            sign_up=config["sign_up"] == "on" or (config["sign_up"] == "loopback" and _is_loopback(config["host"])),
            rate_factor=config["rate_limit"],
            retention_days=config["retention_days"],
            proxies=config["proxies"],
            models=config.models_path,
        ),
        listeners=config.listeners_address,
        features=config.features,
        log_level=config["log_level"],
        log_format=config["log_format"],
    )


def _disk_cache(config: Config) -> DiskCacheSettings | None:
    if not config["disk_cache"]:
        return None
    workers = config["workers"]
    folder, bytes_max = Path(config["disk_cache"]), config["disk_cache_bytes"] // workers
    return DiskCacheSettings(folder=folder, bytes_max=bytes_max, processes=workers)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _player_root() -> Path:
    return Path(str(files("player_demo")))


def _announce(output: Output, url: str) -> None:
    output.data({"event": "serving", "url": url})
    output.say(f"serving on {url}")


async def _serve(serving: Serving, ready: Callable[[str], None], listener: socket.socket | None = None) -> None:
    allow_files(serving.settings)
    limits = serving_limits(serving.settings.store_deadline_s)
    store = open_store(serving.store, s3_credentials=serving.s3, s3_limits=limits, filled=True)
    try:
        # The catalog is in memory: all that an origin keeps and cannot make again is the listeners' database.
        with Catalog(features=serving.features) as catalog, open_listeners(serving.listeners) as listeners:
            sounds = CatalogSounds(catalog)
            playlists = Library(catalog=catalog, playlists=Playlists(listeners), listening=KeptListening(listeners))
            await serve(
                serving.settings,
                store,
                keys=serving.keys,
                ready=ready,
                extend=[
                    lambda app: add_joined_routes(
                        app,
                        CatalogLists(catalog, playlists, sounds),
                        add_routes(
                            app,
                            catalog=catalog,
                            listeners=listeners,
                            store=store,
                            settings=serving.discovery,
                            keys=serving.keys,
                            signed=signer(serving.settings),
                            playlists=playlists,
                            sounds=sounds,
                            synced=expecting(app, "tracks"),
                        ).listener,
                    )
                ],
                listener=listener,
            )
    finally:
        await store.close()


def _serve_together(serving: Serving, workers: int, arguments: argparse.Namespace, output: Output) -> int:
    with listen(serving.settings) as listener, TemporaryDirectory(prefix="segue-metrics-") as counters:
        url = base_url(*listener.getsockname()[:2])

        def main() -> WorkerMain:
            """What workers run, with the settings as they are now."""
            return partial(_worker, _serving(load(vars(arguments)), metrics_folder=Path(counters)), listener)

        policy = WorkerPolicy(workers=workers)
        return supervise(main, policy, ready=lambda: _announce(output, url), stopping=listener.close)


def _worker(serving: Serving, listener: socket.socket, ready: Ready) -> None:
    """What each worker process runs."""
    set_up(serving.log_level, serving.log_format)
    run_server(_serve(serving, lambda _: ready(), listener))

"""What is built from what: settings in, the stages' work orders out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from avtool.locate import Ffmpeg, locate
from catalog.ledger import Ledger
from catalog.turns import Turns
from ingest.history import judge
from ingest.metadata.reader import Reader
from ingest.metadata.sidecar import Sidecar
from ingest.objects import Buckets
from ingest.settings import IngestSettings
from ingest.work import Ingest
from model.errors import UsageError
from model.events import Observer
from model.features import FeatureSet
from model.loudness import LoudnessMode, LoudnessTarget
from packager.order import Packaging
from segue.config import Config
from segue.engine import engagement
from segue.opened import catalog_path, credentials, opened_store
from segue.packing import package_settings_of, protector_of
from storage.base import ObjectStore
from storage.open import S3Credentials

READERS_MAX = 2  # reading tags takes milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Everything that working on tracks needs."""

    store: ObjectStore
    tool: Ffmpeg
    ingest: Ingest
    packaging: Packaging
    jobs: int  # tracks worked on at the same time

    @property
    def recipe(self) -> tuple[str, ...]:
        """What is made of a source: the versions and settings that it depends on, but for protection."""
        mode, target, ladder = self.ingest.settings.mode, self.ingest.settings.target, self.packaging.settings
        rungs = (ladder.aac_bitrates_bps, ladder.opus_bitrates_bps, ladder.lossless)
        return (judge(self.ingest), self.packaging.recipe, repr((mode, target, rungs)))


def source_credentials(config: Config) -> S3Credentials | None:
    """The keys of the S3 service that sources lie in: their own, else the store's."""
    access, secret = config["source_access_key"], config["source_secret_key"]
    return S3Credentials(access_key=access, secret_key=secret) if access and secret else credentials(config)


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
        ledger = stack.enter_context(ledger or Ledger(catalog_path(config)))
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
    if config.features is FeatureSet.LIBROSA and find_spec("librosa") is None:
        raise UsageError("librosa is not installed", hint="pip install 'segue[librosa]', or leave `features` at own")
    return IngestSettings(
        mode=mode, target=target, again=again, scratch_dir=config["scratch"] or None, features=config.features
    )

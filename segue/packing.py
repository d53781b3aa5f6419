"""What packaging is built from. Who only packages, or mends, has no use for what takes sources in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from avtool.locate import locate
from model.errors import UsageError
from model.events import Observer
from model.protection import ProtectionMethod
from packager.order import Packaging
from packager.protect import Protector
from packager.settings import PackageSettings
from segue.config import Config
from segue.engine import engagement
from segue.opened import key_ring, opened_store
from storage.base import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Everything that packaging tracks needs."""

    store: ObjectStore
    packaging: Packaging
    jobs: int  # tracks worked on at the same time


@asynccontextmanager
async def packing(config: Config, observer: Observer) -> AsyncIterator[Packing]:
    """Store, ffmpeg, the engine, and the stage that packages."""
    protector, settings = protector_of(config, create=True), package_settings_of(config)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(config))
        engaged = await stack.enter_async_context(engagement(config, observer))
        packaging = Packaging(
            settings=settings,
            tool=await locate(config["ffmpeg"] or None),
            store=store,
            slots=asyncio.Semaphore(config["jobs"]),
            observer=observer,
            protector=protector,
            engine=engaged.engine,
        )
        yield Packing(store=store, packaging=packaging, jobs=engaged.jobs)


def protector_of(config: Config, *, create: bool) -> Protector:
    """How packages are protected; `create` may make the key store. Raises as `key_ring` does."""
    method = None if config["protect"] == "off" else ProtectionMethod(config["protect"])
    if method and not config["key_store"]:
        hint = "say --key-store file:PATH, a folder outside the store, or set SEGUE_KEY_STORE"
        raise UsageError("no key store", hint=hint)
    keys = key_ring(config, create=create and method is not None)
    return Protector(method=method, keys=keys, rotation_segments=config["key_rotation"])


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

"""What the commands that take sources share."""

import argparse
import asyncio
import math
import time
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.metadata.sidecar import Sidecar, load_sidecar
from ingest.scan import Source, printable
from model.errors import PipelineError, StorageError, UsageError
from model.events import Status
from model.track import ART_SIDES
from segue.batch import in_batches
from segue.config import Config
from segue.dry_run import tell_plan
from segue.intake import Finished, Intake, add_taken_beside
from segue.loop import run_loop
from segue.output import Output
from segue.plan import Plan
from segue.progress import Progress
from segue.settled import Settlement
from segue.watch import SETTLE_S, done_folder, move_done, watched
from segue.wiring import Workshop, workshop
from storage.base import ObjectStore
from storage.keys import art_key

if TYPE_CHECKING:
    from segue.report import ReportWriter
    from segue.report_summary import ReportSummary

SETTLE_S_MAX = 3600


def add_sources(parser: argparse.ArgumentParser) -> None:
    """SOURCE..., and how to go over them."""
    parser.add_argument(
        "sources",
        nargs="+",
        type=_source,
        metavar="SOURCE",
        help="a music file, a folder that is walked by name, or s3://bucket/prefix?endpoint=URL",
    )
    parser.add_argument(
        "--sidecar",
        type=Path,
        metavar="FILE",
        help="JSON or CSV with tags and covers that go before those in the files",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write an HTML page with loudness, peaks, waveforms, warnings and failures",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done, how long and how large; do nothing"
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="only try again what failed in earlier runs, each with its album"
    )
    parser.add_argument(
        "--watch", action="store_true", help="go on until interrupted: take files as soon as they are completely there"
    )
    parser.add_argument(
        "--settle",
        type=_settle_s,
        default=SETTLE_S,
        metavar="SECONDS",
        help=f"with --watch: take a file when nothing in its folder changed for so long [{SETTLE_S:g}]",
    )
    parser.add_argument("--move-done", type=Path, metavar="FOLDER", help="move each source there once it is done")


def run_sources(config: Config, arguments: argparse.Namespace, output: Output, *, publish: bool) -> int:
    """Ingest, and with `publish` package, every source that was named or found; 1 if any failed."""
    named: Sequence[Path] = [each for each in arguments.sources if isinstance(each, Path)]
    urls: Sequence[str] = [each for each in arguments.sources if isinstance(each, str)]
    _check(arguments, urls)
    with ExitStack() as stack:
        plan = stack.enter_context(Plan())
        if not arguments.watch:
            plan.find(named)
            if not urls and not plan.count():
                raise _nothing_found(map(printable, named))
        session = _Session(
            config=config,
            arguments=arguments,
            output=output,
            publish=publish,
            sidecar=stack.enter_context(load_sidecar(arguments.sidecar)) if arguments.sidecar else None,
            report=stack.enter_context(_report(arguments.report)) if arguments.report else None,
            done_to=done_folder(arguments.move_done, named) if arguments.move_done else None,
            urls=urls,
        )
        return run_loop(session.run(plan))


def _source(text: str) -> Path | str:
    return text if text.startswith("s3:") else Path(text.removeprefix("file:") if text.startswith("file:") else text)


def _settle_s(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= SETTLE_S_MAX:
        raise argparse.ArgumentTypeError(f"seconds, more than 0 and at most {SETTLE_S_MAX}: {text[:100]}")
    return seconds


def _nothing_found(where: Iterable[str]) -> UsageError:
    return UsageError("no music files found", subject=", ".join(where), hint="name a file to try it anyway")


def _check(arguments: argparse.Namespace, urls: Sequence[str]) -> None:
    if urls and (arguments.watch or arguments.move_done):
        raise UsageError("--watch and --move-done are for folders", subject=urls[0], hint="run it again, now and then")
    if arguments.watch and (arguments.dry_run or arguments.retry_failed):
        raise UsageError("--watch goes with neither --dry-run nor --retry-failed", hint="run them one after the other")


def _report(target: Path) -> "ReportWriter":
    from segue.report import ReportWriter  # noqa: PLC0415 - few runs write one

    return ReportWriter(target)


@dataclass(slots=True, kw_only=True)
class _Session:
    """One run of a command over sources: one batch, or with --watch one after the other."""

    config: Config
    arguments: argparse.Namespace
    output: Output
    publish: bool
    sidecar: Sidecar | None
    report: "ReportWriter | None"
    done_to: Path | None
    urls: Sequence[str] = ()
    started: float = field(default_factory=time.monotonic)
    reporting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, plan: Plan) -> int:
        """The exit status. With --watch nothing is planned yet."""
        progress = Progress(self.output)
        again, dry_run = self.arguments.retry_failed, self.arguments.dry_run
        async with workshop(self.config, progress, sidecar=self.sidecar, again=again, dry_run=dry_run) as shop:
            try:
                await self._stored(shop, plan)
                if self.arguments.watch:
                    async with aclosing(watched(self.arguments.sources, settle_s=self.arguments.settle)) as batches:
                        async for found in batches:
                            await self._arrived(shop, found, progress)
                elif dry_run:
                    await self._survey(shop, plan, progress)
                    await plan.total()
                    await tell_plan(shop, plan.groups(None), self.output, jobs=shop.jobs, publish=self.publish)
                    return 0
                else:
                    await self._batch(shop, plan, progress)
            finally:
                progress.close()
        return 1 if progress.failed else 0

    async def _stored(self, shop: Workshop, plan: Plan) -> None:
        """Find the sources that are objects."""
        before = await asyncio.to_thread(plan.count)
        for url in self.urls:
            await plan.find_stored(shop.ingest.buckets, url)
        if self.urls and await asyncio.to_thread(plan.count) == before:
            raise _nothing_found(self.urls)

    async def _arrived(self, shop: Workshop, found: Iterable[Source], progress: Progress) -> None:
        with Plan() as plan:
            await asyncio.to_thread(plan.add, found, wanted=True)
            await asyncio.to_thread(add_taken_beside, shop.ingest, plan, found)
            await self._batch(shop, plan, progress)

    async def _batch(self, shop: Workshop, plan: Plan, progress: Progress) -> None:
        """Look at all, work on what is wanted, and write the report whatever happens."""
        interrupted = True
        try:
            intake = Intake(
                shop=shop,
                jobs=shop.jobs,
                publish=self.publish,
                observer=progress,
                finished=partial(self._finished, shop),
                settlement=self._settlement(shop),
            )
            await self._survey(shop, plan, progress)
            await intake.run(plan)
            interrupted = False
        finally:
            if self.report is not None:
                self.report.write(self._summary(shop, interrupted=interrupted))
        for row in self.sidecar.unmatched() if self.sidecar else ():
            self.output.say(f"sidecar: no source for {row}")

    def _settlement(self, shop: Workshop) -> Settlement | None:
        """What need not be looked into; None where a run has more to tell or other things to look at."""
        more = (self.report, self.sidecar, self.arguments.watch, self.arguments.retry_failed)
        return Settlement(shop) if self.publish and not any(more) and shop.packaging.protector.method is None else None

    async def _survey(self, shop: Workshop, plan: Plan, progress: Progress) -> None:
        if self.sidecar is not None:
            async for sources in in_batches(plan.sources()):
                await asyncio.to_thread(self.sidecar.see, sources)
        again = self.arguments.retry_failed
        await plan.survey(shop, progress, remembered=self.sidecar is None, failed_only=again)

    async def _finished(self, shop: Workshop, end: Finished) -> None:
        if self.report is not None:
            if end.track is not None and end.thumbnail is None:
                end = replace(end, thumbnail=await _thumbnail(shop.store, end.track.art_id))
            async with self.reporting:
                await _to_its_end(asyncio.to_thread(self._add, self.report, end))
        if self.done_to is not None and end.outcome.status is not Status.FAILED:
            try:
                await asyncio.to_thread(move_done, end.path, named=self.arguments.sources, into=self.done_to)
            except PipelineError as error:
                self.output.say(f"not moved: {error}")

    def _add(self, report: "ReportWriter", end: Finished) -> None:
        report.add(end.outcome, track=end.track, package=end.package, analysis=end.analysis, thumbnail=end.thumbnail)

    def _summary(self, shop: Workshop, *, interrupted: bool) -> "ReportSummary":
        from segue.report_summary import ReportSummary  # noqa: PLC0415 - as above

        return ReportSummary(
            command="publish" if self.publish else "ingest",
            mode=shop.ingest.settings.mode,
            target=shop.ingest.settings.target,
            finished_at=datetime.now(UTC),
            wall_s=time.monotonic() - self.started,
            tool=shop.tool.version,
            interrupted=interrupted,
        )


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await what must not be left half done; a cancellation comes through when it is over."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _thumbnail(store: ObjectStore, art_id: str) -> bytes | None:
    """The smallest cover, as it was kept by an earlier run."""
    try:
        return (await store.read(art_key(art_id, ART_SIDES[0]))).data
    except StorageError:
        return None

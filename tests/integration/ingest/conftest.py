"""A bench for ingests: a real ffmpeg, a store in a folder, and everything that was told on the way."""

import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from avtool.locate import Ffmpeg
from catalog.ledger import Ledger
from catalog.turns import Turns
from ingest.hear import hear
from ingest.keep import keep
from ingest.levels import levels
from ingest.metadata.reader import Reader
from ingest.scan import Source
from ingest.settings import IngestSettings
from ingest.work import Ingest, Ingested
from model.errors import PipelineError
from model.events import Event
from model.track import Track
from storage.filesystem import FilesystemStore
from storage.keys import CHANGES, mezzanine_key


@dataclass
class Bench:
    """What ingests are done with here; `work` may be replaced to try other settings."""

    folder: Path
    work: Ingest
    events: list[Event] = field(default_factory=list)

    def notify(self, event: Event) -> None:
        """Keep what is told."""
        self.events.append(event)

    async def ingest(self, path: Path) -> Ingested:
        """Ingest one file."""
        return (await self.album(path))[0]

    async def album(self, *paths: Path) -> list[Ingested]:
        """Ingest files as one album."""
        work = replace(self.work, observer=self)
        heard = [await hear(work, Source(path=path)) for path in paths]
        analyses = [each.analysis for each in heard]
        found = levels(work.settings.mode, work.settings.target, analyses, album=len(paths) > 1)
        return [await keep(work, each, level) for each, level in zip(heard, found, strict=True)]

    async def track(self, path: Path) -> Track:
        """The report of one file."""
        return (await self.ingest(path)).track

    async def refusal(self, path: Path) -> PipelineError:
        """Why one file is not taken: always typed, always with a hint; and nothing of it gets into the store."""
        before = self.objects()
        with pytest.raises(PipelineError) as caught:
            await self.ingest(path)
        assert caught.value.hint
        assert caught.value.subject
        assert self.objects() == before
        return caught.value

    def objects(self) -> dict[str, bytes]:
        """Everything in the store, by path, but for what is told of changes, which is named after a moment."""
        store = self.folder / "store"
        found = {str(path.relative_to(store)): path for path in store.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items() if not name.startswith(CHANGES)}

    async def mezzanine(self, track: Track) -> Path:
        """The mezzanine, fetched from the store."""
        made = track.mezzanine
        target = self.folder / f"{made.mezzanine_id}.mp4"
        await self.work.store.fetch(mezzanine_key(made.recording_id, made.mezzanine_id), target)
        return target

    def set(self, **settings: object) -> None:
        """Work with other settings from now on."""
        self.work = replace(self.work, settings=replace(self.work.settings, **settings))  # type: ignore[arg-type]

    def ffmpeg(self, *arguments: str | Path) -> bytes:
        """Run ffmpeg as a user would; what it printed on both channels."""
        command = [self.work.tool.path, "-nostdin", "-hide_banner", "-y", *map(str, arguments)]
        done = subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout


@pytest.fixture
async def bench(tool: Ffmpeg, tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench with the default settings and an empty store."""
    with Ledger() as ledger:
        async with Reader() as reader:
            work = Ingest(
                settings=IngestSettings(scratch_dir=str(tmp_path)),
                tool=tool,
                store=FilesystemStore(tmp_path / "store"),
                ledger=ledger,
                reader=reader,
                observer=_Deaf(),
                turns=Turns(),
            )
            yield Bench(tmp_path, work)
    assert not list(tmp_path.glob("segue-*")), "scratch was left behind"


class _Deaf:
    def notify(self, event: Event) -> None:
        """The bench hears instead."""

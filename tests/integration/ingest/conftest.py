"""A bench for ingests: a real ffmpeg, a store in a folder, and everything that was told on the way."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from avtool.locate import Ffmpeg
from catalog.store import Catalog
from ingest.pipeline import Ingest, Ingested, ingest
from ingest.scan import Source
from ingest.settings import IngestSettings
from model.errors import PipelineError
from model.events import Event
from model.track import Track
from storage.filesystem import FilesystemStore
from storage.keys import mezzanine_key


@dataclass
class Bench:
    """What ingests are done with here; `work` may be replaced to try other settings."""

    folder: Path
    work: Ingest
    events: list[Event] = field(default_factory=list)

    def notify(self, event: Event) -> None:
        """Keep what is told."""
        self.events.append(event)

    async def ingest(self, path: Path, *, folder: Path | None = None) -> Ingested:
        """Ingest one file."""
        return await ingest(replace(self.work, observer=self), Source(path=path, folder=folder))

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
        """Everything in the store, by path."""
        store = self.folder / "store"
        return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}

    async def mezzanine(self, track: Track) -> Path:
        """The mezzanine, fetched from the store."""
        target = self.folder / f"{track.ingest_id}.mp4"
        await self.work.store.fetch(mezzanine_key(track.track_id, track.ingest_id), target)
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
def bench(tool: Ffmpeg, tmp_path: Path) -> Iterator[Bench]:
    """A bench with the default settings and an empty store."""
    store = FilesystemStore(tmp_path / "store")
    catalog = Catalog()
    settings = IngestSettings(scratch_dir=str(tmp_path))
    made = Bench(tmp_path, Ingest(settings=settings, tool=tool, store=store, catalog=catalog, observer=_Deaf()))
    yield made
    catalog.close()
    assert not list(tmp_path.glob("segue-*")), "scratch was left behind"


class _Deaf:
    def notify(self, event: Event) -> None:
        """The bench hears instead."""

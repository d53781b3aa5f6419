"""A source on its way through the group that it is worked on with."""

from dataclasses import dataclass, field

from ingest.levels import Level
from ingest.plan import Planned
from ingest.runs import Place
from ingest.scan import Source
from ingest.work import Heard
from model.errors import PipelineError
from model.events import TrackOutcome
from model.track import Mezzanine, Run, Track
from packager.pipeline import Packaged


@dataclass(slots=True, kw_only=True)
class Member:
    """What is known of a source so far. It has an `outcome` when its way is over, and an `error` if that was why."""

    planned: Planned
    together: bool  # its album ends as one, for its level may still change
    heard: Heard | None = None
    level: Level | None = None
    place: Place | None = None  # these four: of one that runs into its neighbours
    gain_db: float = 0.0
    mezzanine: Mezzanine | None = None
    run: Run | None = None
    track: Track | None = None
    fresh: bool = False
    duplicate_of: str = ""
    packaged: Packaged | None = None
    error: PipelineError | None = None
    outcome: TrackOutcome | None = None
    duplicates: list["Member"] = field(default_factory=list)

    @property
    def source(self) -> Source:
        """The file."""
        return self.planned.source

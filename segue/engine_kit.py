"""What a worker has to know to do a step as the coordinator would: settings, and the tools that decide bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from avtool.locate import Ffmpeg
from ingest.work import FORMAT as MEZZANINE
from meter.meter import METER
from model.errors import EngineMismatch
from packager.order import FORMAT as PACKAGE
from segue.config import Config

# What decides what is made. Scratch, ffmpeg, jobs and all secrets are each machine's own.
SETTINGS = (
    "store", "features", "loudness", "target", "true_peak", "aac", "opus", "lossless", "protect", "key_store",
    "key_rotation",
)  # fmt: skip
_LIBRARIES = ("segue", "numpy", "pillow", "mutagen")
_HINT = "install the same Segue on every machine (requirements/dask.txt), and name the same ffmpeg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """Goes along with every step. A worker keeps what it opened for one."""

    settings: tuple[tuple[str, str], ...]
    again: bool
    recipe: str
    topic: str  # where the worker tells how far it is

    @property
    def flags(self) -> Mapping[str, str]:
        """The settings as flags."""
        return dict(self.settings)


def kit_of(config: Config, *, again: bool, recipe: str, topic: str) -> Kit:
    """The kit of a batch. Relative folders are made absolute: a worker runs elsewhere."""
    texts = {key: _text(config[key]) for key in SETTINGS}
    for key in ("store", "key_store"):
        if texts[key].startswith("file:") and not texts[key].startswith("file://"):
            texts[key] = f"file:{Path(texts[key].removeprefix('file:')).absolute()}"
    return Kit(settings=tuple(texts.items()), again=again, recipe=recipe, topic=topic)


def recipe_of(tool: Ffmpeg) -> str:
    """All that decides bytes, besides the settings: equal for machines whose results are equal."""
    libraries = [f"{name} {metadata.version(name)}" for name in _LIBRARIES]
    return ", ".join([*libraries, MEZZANINE, PACKAGE, METER, f"ffmpeg {tool.version}"])


def check_recipe(theirs: str, ours: str, *, subject: str) -> None:
    """Raise EngineMismatch, with what differs, if `theirs` is another recipe than `ours`."""
    if theirs != ours:
        pairs = zip(theirs.split(", "), ours.split(", "), strict=False)
        differing = "; ".join(f"{there}, not {here}" for there, here in pairs if there != here)
        raise EngineMismatch(f"other versions ({differing or theirs})", subject=subject, hint=_HINT)


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)

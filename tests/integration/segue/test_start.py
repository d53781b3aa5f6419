"""What a command loads before it does anything: most of a short command's time."""

import subprocess
import sys

from tests.support.command import CHECKOUT

LOOKING = (
    "token",
    "ls",
    "show",
    "search",
    "gc",
    "mirror",
    "export",
    "rebuild",
    "listener",
    "device",
    "playlist",
    "events",
)
HEAVY = ("numpy", "scipy", "mutagen", "aiohttp", "distributed", "minio", "m3u8", "cryptography", "implicit")


def _loaded(loads: str, names: tuple[str, ...]) -> list[str]:
    """Which of these a fresh process has loaded when it has run this."""
    tells = f"{loads}; import sys; print(*[name for name in {names} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", tells], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.split()


def test_commands_that_only_look_at_a_store_load_nothing_heavy() -> None:
    assert _loaded("; ".join(f"import segue.commands.{name}" for name in LOOKING), HEAVY) == []


def test_who_packages_loads_nothing_that_takes_sources_in_or_serves() -> None:
    others = ("ingest", "origin", "discovery", "uvloop", "tomllib", "segue.report", "imageio_ffmpeg")
    assert _loaded("import segue.commands.package", (*others, "mutagen", "aiohttp", "minio", "scipy")) == []


def test_the_child_that_reads_tags_loads_no_event_loop() -> None:
    assert _loaded("import ingest.metadata.reading_child", ("asyncio", "ssl", "numpy", "PIL", "mutagen")) == ["mutagen"]

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


def test_commands_that_only_look_at_a_store_load_nothing_heavy() -> None:
    loads = "; ".join(f"import segue.commands.{name}" for name in LOOKING)
    tells = f"{loads}; import sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", tells], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []

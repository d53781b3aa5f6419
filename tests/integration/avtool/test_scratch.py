"""Scratch is private, and gone afterwards, also after a kill."""

import subprocess
import sys
from pathlib import Path

import pytest

from avtool.scratch import scratch_folder
from model.errors import StorageError

HOLDER = """
import asyncio, sys
from avtool.scratch import scratch_folder
async def hold():
    async with scratch_folder(sys.argv[1]) as folder:
        (folder / "large").write_bytes(bytes(1000))
        print(folder, flush=True)
        await asyncio.sleep(60)
asyncio.run(hold())
"""


async def test_it_is_gone_afterwards_whatever_happened(tmp_path: Path) -> None:
    """With all that was written to it."""
    with pytest.raises(ValueError, match="inside"):
        async with scratch_folder(str(tmp_path)) as folder:
            (folder / "deep").mkdir()
            (folder / "deep" / "file").write_bytes(b"x")
            raise ValueError("inside")
    assert not list(tmp_path.iterdir())


async def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Nothing else: not the scratch of one that lives, and no folder that only has a name like it."""
    mine = tmp_path / "segue-scratch-of-a-friend"
    mine.mkdir()
    with _holder(tmp_path) as dead, _holder(tmp_path) as alive:
        assert dead.stdout is not None
        assert alive.stdout is not None
        left, kept = Path(dead.stdout.readline().strip()), Path(alive.stdout.readline().strip())
        dead.kill()
        dead.wait()
        assert left.exists()
        async with scratch_folder(str(tmp_path)):
            assert not left.exists()
            assert (kept / "large").exists()
        assert mine.exists()
        alive.kill()


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By its name, with what to do."""
    with pytest.raises(StorageError, match="no such file") as refused:
        async with scratch_folder(str(tmp_path / "gone")):
            pass
    assert "--scratch" in refused.value.hint


def _holder(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)

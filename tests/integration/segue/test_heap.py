"""One heap for all threads."""

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import re, threading
from pathlib import Path
{call}
for _ in range(4):
    thread = threading.Thread(target=lambda: [bytes(1000) for _ in range(2000)])
    thread.start()
    thread.join()
    kept = threading.Thread(target=threading.Event().wait, args=(0.5,))
    kept.start()  # or the next one takes over its heap
maps = Path("/proc/self/maps").read_text()
sizes = [int(end, 16) - int(start, 16) for start, end in re.findall(r"^(\\w+)-(\\w+) ---p 0+ 00:00 0 *$", maps, re.M)]
print(sum(size > 32 << 20 for size in sizes))
"""


@pytest.mark.parametrize(("call", "several"), [("", True), ("import segue.heap; segue.heap.keep_one_heap()", False)])
def test_threads_have_one_heap(call: str, several: bool) -> None:
    """Each further heap of glibc is a reserved range of 64 MiB, most of which nobody may use yet."""
    assert platform.libc_ver()[0] == "glibc"
    command = [sys.executable, "-c", _PROGRAM.format(call=call)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    assert (int(said) > 0) == several

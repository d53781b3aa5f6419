"""Records that several threads read for the first time in a process, at once."""

import subprocess
import sys

from tests.support.command import CHECKOUT

# Classes of their own each time, and threads that take turns as often as they can.
READ = """
import sys
import threading
from dataclasses import make_dataclass

from model.records import from_json

sys.setswitchinterval(1e-6)
for _ in range(60):
    kind, text = make_dataclass("Least", [("name", str)]), '{"name": "x"}'
    for _ in range(5):
        kind = make_dataclass("More", [("one", kind), ("all", tuple[kind, ...])])
        text = f'{{"one": {text}, "all": [{text}]}}'
    together = threading.Barrier(6)

    def read(kind=kind, data=text.encode(), together=together):
        together.wait()
        from_json(kind, data, subject="test")

    threads = [threading.Thread(target=read) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
"""


def test_a_kind_of_record_that_threads_meet_together_ends_no_process() -> None:
    """msgspec alone ends it by a segmentation fault."""
    assert subprocess.run([sys.executable, "-c", READ], cwd=CHECKOUT, timeout=110, check=False).returncode == 0

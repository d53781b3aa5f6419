"""A program that we start is bounded in time, memory, files and words, and none of it outlives us."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from avtool.pump import PIECE_BYTES
from avtool.run import STDERR_TAIL_BYTES, Completed, Limits, run
from model.errors import SourceTooLong, ToolFailed, ToolMissing, ToolTimeout

CHECKOUT = Path(__file__).resolve().parents[3]
LIMITS = Limits(timeout_s=30)


async def _python(code: str, *arguments: str, limits: Limits = LIMITS) -> Completed:
    return await run([sys.executable, "-c", code, *arguments], limits=limits, subject="song.flac")


def _alive(pid: int) -> bool:
    """Whether a process runs; one that only waits for its parent to notice its end does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def _gone(pid: int) -> bool:
    for _ in range(2000):
        if not _alive(pid):
            return True
        await asyncio.sleep(0.02)
    return False


async def _pids(file: Path) -> list[int]:
    """The process ids that a program writes when it is under way."""
    for _ in range(2000):
        if file.is_file():
            break
        await asyncio.sleep(0.02)
    return [int(word) for word in file.read_text().split()]


async def _family(ends: str, file: Path, *, limits: Limits) -> Completed:
    """A program whose child takes no SIGTERM, and which writes the ids of both at once: a shell needs no time to start,
    even on a busy machine."""
    code = f'(trap "" TERM; exec sleep 60) & echo "$$ $!" > "$1.new"; mv "$1.new" "$1"; {ends}'
    return await run(["/bin/sh", "-c", code, "sh", str(file)], limits=limits, subject="x")


PARENT_AND_CHILD = """
import os, pathlib, signal, subprocess, sys, time
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", deaf])
path = pathlib.Path(sys.argv[1])
path.with_suffix(".new").write_text(f"{{os.getpid()}} {{child.pid}}\\n")
path.with_suffix(".new").rename(path)
time.sleep({sleeps})
"""


async def test_what_it_prints_is_kept() -> None:
    """Both streams, in full where they are small."""
    done = await _python("import sys; print('out'); print('err', file=sys.stderr)")
    assert done == Completed(stdout=b"out\n", stderr="err\n")


async def test_a_failure_says_what_the_program_said() -> None:
    """The last line as message, the tail of all lines, the status and the command."""
    with pytest.raises(ToolFailed) as failed:
        await _python("import sys; print('first\\n  last words  \\n', file=sys.stderr); sys.exit(7)")
    assert str(failed.value) == "last words: song.flac"
    assert failed.value.exit_status_of_tool == 7
    assert failed.value.stderr_tail.startswith("first")
    assert failed.value.argv[0] == sys.executable


async def test_a_crash_is_a_failure() -> None:
    """Death by a signal has a negative status and, without words, a message of its own."""
    with pytest.raises(ToolFailed, match="exit status -11") as failed:
        await _python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert failed.value.exit_status_of_tool == -11


async def test_of_a_flood_only_the_end_of_stderr_is_kept() -> None:
    """32 MiB of complaints: some 64 KiB are kept, the last ones."""
    done = await _python("import sys\nfor _ in range(512): sys.stderr.write('x' * 65536)\nsys.stderr.write('the end')")
    assert done.stderr.endswith("the end")
    assert STDERR_TAIL_BYTES <= len(done.stderr) <= STDERR_TAIL_BYTES + (1 << 14)


async def test_of_a_flood_only_the_start_of_stdout_is_kept() -> None:
    """Nothing of the middle either; and the program is not left waiting for a reader."""
    code = "import sys\nfor n in range(2000): sys.stdout.write(f'{n:08d}' * 100)"
    done = await _python(code, limits=Limits(timeout_s=30, stdout_bytes=1_000))
    assert done.stdout == b"00000000" * 100 + b"00000001" * 25


async def test_lines_are_handed_over() -> None:
    """Each as it comes, without its end; the last one needs none; bytes that are no text do no harm."""
    lines: list[str] = []
    code = "import sys; sys.stdout.buffer.write(b'one\\ntw\\xff\\n\\nlast')"
    done = await run([sys.executable, "-c", code], limits=LIMITS, subject="x", on_line=lines.append)
    assert lines == ["one", "tw\N{REPLACEMENT CHARACTER}", "", "last"]
    assert done.stdout == b""


async def test_a_line_without_end_is_an_error() -> None:
    """A program that prints another language than we expect is stopped, with a typed error."""
    code = "import sys, time; sys.stdout.write('x' * 1_000_000); sys.stdout.flush(); time.sleep(60)"
    began = time.monotonic()
    with pytest.raises(ToolFailed, match="line without end"):
        await run([sys.executable, "-c", code], limits=LIMITS, subject="x", on_line=lambda _: None)
    assert time.monotonic() - began < 20


async def test_an_error_of_the_reader_comes_through_as_it_is() -> None:
    """A reader that refuses a line ends the program, and its own error reaches the caller."""

    def refuse(line: str) -> None:
        raise ToolFailed(f"cannot read {line}")

    code = "import time; print('this', flush=True); time.sleep(60)"
    with pytest.raises(ToolFailed, match="cannot read this"):
        await run([sys.executable, "-c", code], limits=LIMITS, subject="x", on_line=refuse)


async def test_bytes_are_handed_over_in_order() -> None:
    """Every byte once, in large pieces, never two pieces at once, in one thread that is not the loop's."""
    taken, threads, inside = bytearray(), set(), threading.Lock()

    def take(piece: bytes) -> None:
        assert inside.acquire(blocking=False)
        threads.add(threading.current_thread())
        time.sleep(0.001)
        taken.extend(piece)
        inside.release()

    code = "import sys\nfor n in range(100_000): sys.stdout.buffer.write(n.to_bytes(4, 'big') * 10)"
    done = await run([sys.executable, "-c", code], limits=LIMITS, subject="x", on_bytes=take)
    assert bytes(taken) == b"".join(n.to_bytes(4, "big") * 10 for n in range(100_000))
    assert len(threads) == 1
    assert threading.current_thread() not in threads
    assert done.stdout == b""


async def test_pieces_are_whole() -> None:
    """However small the pieces that a program writes: what is measured in batches of that size is copied nowhere."""
    sizes: list[int] = []
    code = "import os\nfor _ in range(1_400): os.write(1, bytes(1_000))"
    await run([sys.executable, "-c", code], limits=LIMITS, subject="x", on_bytes=lambda piece: sizes.append(len(piece)))
    assert sizes == [PIECE_BYTES, PIECE_BYTES, 1_400_000 - 2 * PIECE_BYTES]


async def test_a_program_waits_for_who_takes_its_bytes() -> None:
    """What waits is bounded by the pipe: a fast program does not fill our memory."""
    written: list[int] = []

    def take(piece: bytes) -> None:
        if not written:
            time.sleep(0.3)  # long enough for any amount to be written, were there no bound
        written.append(len(piece))

    code = "import sys\nfor _ in range(64): sys.stdout.buffer.write(bytes(1 << 20))"
    await run([sys.executable, "-c", code], limits=LIMITS, subject="x", on_bytes=take)
    assert sum(written) == 64 << 20
    assert max(written) <= 1 << 20


async def test_an_error_of_who_takes_bytes_comes_through(tmp_path: Path) -> None:
    """The program, which would write for ever, is ended, and nothing more is handed over."""
    pieces = 0

    def refuse(piece: bytes) -> None:
        nonlocal pieces
        pieces += 1
        raise SourceTooLong("enough", subject="song.flac")

    code = f"""
import os, pathlib, sys
pathlib.Path({str(tmp_path / "pids")!r}).write_text(str(os.getpid()))
while True: sys.stdout.buffer.write(bytes(1 << 16))
"""
    with pytest.raises(SourceTooLong, match=r"enough: song\.flac"):
        await run([sys.executable, "-c", code], limits=LIMITS, subject="x", on_bytes=refuse)
    assert pieces == 1
    for pid in await _pids(tmp_path / "pids"):
        assert await _gone(pid)


async def test_cancelling_ends_the_handing_over() -> None:
    """Once the caller is back, nothing is handed over any more."""
    pieces = 0
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def take(piece: bytes) -> None:
        nonlocal pieces
        pieces += 1
        loop.call_soon_threadsafe(begun.set)
        time.sleep(0.01)

    code = "import sys\nwhile True: sys.stdout.buffer.write(bytes(1 << 16))"
    task = asyncio.create_task(run([sys.executable, "-c", code], limits=LIMITS, subject="x", on_bytes=take))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    before = pieces
    await asyncio.sleep(0.1)
    assert pieces == before


async def test_a_failure_after_bytes_is_a_failure() -> None:
    """What was handed over does not make it a success."""
    taken: list[bytes] = []
    code = "import sys; sys.stdout.write('half'); sys.stdout.flush(); sys.exit('broken')"
    with pytest.raises(ToolFailed, match="broken"):
        await run([sys.executable, "-c", code], limits=LIMITS, subject="x", on_bytes=taken.append)
    assert b"".join(taken) == b"half"


async def test_no_descriptor_is_left() -> None:
    """A batch of a million files leaves nothing open, whether programs start, fail or work."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        await run([sys.executable, "-c", "print(1)"], limits=LIMITS, subject="x", on_bytes=lambda _: None)
        with pytest.raises(ToolMissing):
            await run(["no/such/program"], limits=LIMITS, subject="x", on_bytes=lambda _: None)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_time_is_up_for_the_whole_group(tmp_path: Path) -> None:
    """The program and its child are both gone, though the child will not be asked nicely."""
    with pytest.raises(ToolTimeout, match="stopped after 2 s") as stopped:
        await _family("exec sleep 60", tmp_path / "pids", limits=Limits(timeout_s=2.0))
    assert stopped.value.hint
    for pid in await _pids(tmp_path / "pids"):
        assert await _gone(pid)


async def test_a_child_that_is_left_behind_is_ended(tmp_path: Path) -> None:
    """The program ends well but leaves a child that holds its output open: bounded in time, and nothing remains."""
    with pytest.raises(ToolTimeout):
        await _family("exit 0", tmp_path / "pids", limits=Limits(timeout_s=2.0))
    for pid in await _pids(tmp_path / "pids"):
        assert await _gone(pid)


async def test_cancelling_ends_the_whole_group(tmp_path: Path) -> None:
    """Asked once, reaped at once."""
    task = asyncio.create_task(_python(PARENT_AND_CHILD.format(stubborn=False, sleeps=60), str(tmp_path / "pids")))
    pids = await _pids(tmp_path / "pids")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for pid in pids:
        assert await _gone(pid)


IMPATIENT = """
import asyncio, pathlib, sys
from avtool.run import Limits, run

async def impatient(code, file):
    command = [sys.executable, "-c", code, file]
    task = asyncio.create_task(run(command, limits=Limits(timeout_s=30), subject="x"))
    while not pathlib.Path(file).exists():
        await asyncio.sleep(0.02)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0.1)
    await task

asyncio.run(impatient(*sys.argv[1:]))
"""


async def test_cancelling_twice_does_not_spare_it(tmp_path: Path) -> None:
    """An operator without patience: even a program that ignores the first request is gone when we are."""
    stubborn = PARENT_AND_CHILD.format(stubborn=True, sleeps=60)
    command = [sys.executable, "-c", IMPATIENT, stubborn, str(tmp_path / "pids")]
    ended = await asyncio.to_thread(subprocess.run, command, cwd=CHECKOUT, capture_output=True, timeout=30, check=False)
    assert b"CancelledError" in ended.stderr
    for pid in await _pids(tmp_path / "pids"):
        assert await _gone(pid)


@pytest.mark.parametrize("name", ["no/such/program", "/etc/passwd", "/"])
async def test_a_program_that_cannot_be_started(name: str) -> None:
    """Not there, not executable, a folder: the machine lacks something, which is exit status 3."""
    with pytest.raises(ToolMissing, match=f"cannot start the program .*{name}") as missing:
        await run([name], limits=LIMITS, subject="x")
    assert missing.value.exit_status == 3
    assert missing.value.hint


async def test_memory_is_bounded() -> None:
    """Address space past the limit is refused to the program; under the limit it works."""
    wait = "import sys, time; time.sleep(0.3); data = bytearray(int(sys.argv[1])); print(len(data))"
    limits = Limits(timeout_s=30, memory_bytes=1 << 30)
    with pytest.raises(ToolFailed, match="MemoryError"):
        await _python(wait, str(2 << 30), limits=limits)
    assert (await _python(wait, str(1 << 20), limits=limits)).stdout == b"1048576\n"


async def test_files_are_bounded(tmp_path: Path) -> None:
    """A file past the limit is refused to the program and never becomes larger than the limit."""
    code = """
import sys, time
time.sleep(0.3)
with open(sys.argv[1], "wb", buffering=0) as file:
    for _ in range(64): file.write(bytes(1 << 16))
"""
    with pytest.raises(ToolFailed):
        await _python(code, str(tmp_path / "big"), limits=Limits(timeout_s=30, file_bytes=1 << 20))
    assert (tmp_path / "big").stat().st_size == 1 << 20


async def test_no_core_is_left(tmp_path: Path) -> None:
    """A crash must not write the memory of a program to disk."""
    code = "import resource, time; time.sleep(0.3); print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert (await _python(code)).stdout == b"(0, 0)\n"


async def test_it_is_batch_work() -> None:
    """Its threads do not take the processor from each other with every frame (sched(7))."""
    code = "import os, time; time.sleep(0.3); print(os.sched_getscheduler(0) == os.SCHED_BATCH)"
    assert (await _python(code)).stdout == b"True\n"


async def test_another_scheduling_is_kept() -> None:
    """What an operator started for idle times only stays that."""
    code = "import os, time; time.sleep(0.3); print(os.sched_getscheduler(0) == os.SCHED_IDLE)"
    ours = f"""
import asyncio, os, sys
from avtool.run import Limits, run
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
print(asyncio.run(run([sys.executable, "-c", {code!r}], limits=Limits(timeout_s=60), subject="x")).stdout.decode())
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", ours], cwd=CHECKOUT, capture_output=True, check=True, timeout=120
    )
    assert done.stdout.strip() == b"True"


async def test_it_inherits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secrets in its environment, no standard input, a group of its own."""
    monkeypatch.setenv("SEGUE_S3_SECRET_KEY", "hush")
    code = "import os, sys; print(sorted(os.environ), sys.stdin.read() == '', os.getpgid(0) == os.getpid())"
    told = (await _python(code)).stdout.decode()
    assert told == "['LC_ALL', 'PATH', 'TZ'] True True\n"
    assert "SEGUE_S3_SECRET_KEY" in os.environ

"""A worker's network that is unplugged and a worker's disk that is full, as the kernel makes them: in namespaces of its
own. Where nobody may make namespaces, as in many containers, something that comes near; `means` says which it is."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster import Cluster
from tests.support.proxy import wire

UNSHARE = (("unshare",), ("unshare", "--user", "--map-root-user"))  # who may not do the one may do the other
DISK = "64k"
LARGEST_FILE_BYTES = 20_000

# The scheduler's address stays its own when the cable is out, as that of a machine with more cables would.
NEAR = """
ip link set lo up
ip address add 10.77.1.1/32 dev lo
ip link add near type veth peer name far netns {far}
ip address add 10.77.0.1/30 dev near
ip link set near up
"""
FAR = """
ip link set lo up
ip address add 10.77.0.2/30 dev far
ip link set far up
ip route add default via 10.77.0.1
"""


@dataclass(frozen=True)
class Network:
    """What is between a worker and the scheduler; `port` and `prefix` are for that worker."""

    means: str
    port: int
    prefix: tuple[str, ...]
    cut: Callable[[], object]
    mend: Callable[[], object]


@dataclass(frozen=True)
class Disk:
    """A disk that is full before anything is made; `prefix` and `scratch` are for the worker that has it."""

    means: str
    prefix: tuple[str, ...]
    scratch: Path


@contextmanager
def network(machines: Cluster) -> Iterator[Network]:
    """A network that is whole. All that is started later is in it, what begins with its prefix at its far end."""
    with ExitStack() as stack:
        for unshare in UNSHARE:
            try:
                found = _namespaces(machines, stack, unshare)
            except (OSError, subprocess.CalledProcessError):
                continue
            yield found
            return
        between = stack.enter_context(wire(machines.port))
        yield Network("a wire is cut in a proxy", between.port, (), between.cut, between.mend)


def full_disk(scratch: Path) -> Disk:
    """One with room for no track; whoever is not started with its prefix has room in the same folder."""
    scratch.mkdir()
    mount = f'mount -t tmpfs -o size={DISK} tmpfs "$0" && exec "$@"'
    for unshare in UNSHARE:
        prefix = (*unshare, "--mount", "sh", "-c", mount, str(scratch))
        if subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL).returncode == 0:
            return Disk("a small file system", prefix, scratch)
    return Disk("a limit for files", ("prlimit", f"--fsize={LARGEST_FILE_BYTES}"), scratch)


def _namespaces(machines: Cluster, stack: ExitStack, unshare: tuple[str, ...]) -> Network:
    """Two networks with a cable between them: one for `machines`, one for the worker."""
    with ExitStack() as mine:
        near = _held(mine, *unshare, "--net")
        user = ("--user", "--preserve-credentials") if "--user" in unshare else ()
        inside = ("nsenter", "--target", str(near), *user, "--net")
        far = _held(mine, *inside, "unshare", "--net")
        there = ("nsenter", "--target", str(far), "--net")

        def run(prefix: tuple[str, ...], script: str) -> None:
            subprocess.run([*prefix, "sh", "-ec", script], check=True, stderr=subprocess.DEVNULL)

        run(inside, NEAR.format(far=far))
        run((*inside, *there), FAR)
        stack.push(mine.pop_all())
    machines.host, machines.inside = "10.77.1.1", inside
    plug = "ip link set near "
    return Network(
        "the link between network namespaces is down",
        machines.port,
        there,
        lambda: run(inside, plug + "down"),
        lambda: run(inside, plug + "up"),
    )


def _held(stack: ExitStack, *unshare: str) -> int:
    """The id of a process that keeps new namespaces until the end. Raises OSError if there may be none."""
    words = [*unshare, "sh", "-c", "echo; exec cat"]
    quiet = subprocess.DEVNULL
    held = stack.enter_context(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=quiet))
    assert held.stdout is not None
    if not held.stdout.readline():
        raise OSError("no namespaces")
    return held.pid

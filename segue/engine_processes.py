"""The two long-running processes of `--engine dask`: the scheduler, and on every machine a worker."""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping

import dask.config
from distributed import Nanny, Scheduler, SchedulerPlugin

from avtool.locate import locate
from model.errors import EngineUnavailable
from segue.engine_dask import RESOURCE, check_answer, check_certificates, connection
from segue.engine_kit import recipe_of
from segue.engine_worker import recipe_here

WORKER_TTL_S = 60  # a worker that was not heard of for so long is given up, and its steps are given to others
STOP_S = 10.0
REJOIN_S = 1.0
TELL_S = 0.1  # a batch hears of what happened so often at most, but at once if it heard nothing for longer than that

log = logging.getLogger(__name__)


class _Unhurried(SchedulerPlugin):  # type: ignore[misc]  # Dask has no types
    """Steps take seconds, and each message costs the coordinator of a batch CPU: it gets few."""

    def add_client(self, scheduler: Scheduler, client: str) -> None:
        """Called by the scheduler, which makes the sender of a client's messages right afterwards."""

        def unhurried() -> None:
            scheduler.client_comms[client].interval = TELL_S

        asyncio.get_running_loop().call_soon(unhurried)


async def run_scheduler(address: str, *, ready: Callable[[str], None]) -> None:
    """Listen at `address` until SIGTERM or SIGINT. Raises OSError if it is taken, UsageError without certificates."""
    check_certificates(address, "scheduler")
    ttl = dask.config.get("distributed.scheduler.worker-ttl")
    if ttl == "5 minutes":  # Dask's default, which nobody chose
        ttl = f"{WORKER_TTL_S}s"
    protocol, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    with dask.config.set({"distributed.scheduler.worker-ttl": ttl, "distributed.scheduler.http.routes": []}):
        scheduler = Scheduler(
            host=host, port=int(port), protocol=protocol, dashboard=False, dashboard_address="127.0.0.1:0"
        )
        try:
            await scheduler
        except RuntimeError as error:  # that it failed to start
            raise error.__cause__ or error from None
        async with scheduler:
            scheduler.add_plugin(_Unhurried())
            ready(scheduler.address)
            await _signalled()


async def run_worker(
    address: str, *, slots: int, memory_limit: str, environment: Mapping[str, str], ready: Callable[[str], None]
) -> None:
    """Do steps, `slots` at once, for the scheduler at `address`, until SIGTERM or SIGINT.

    A process of its own does them; it is started again if it ends. Raises EngineUnavailable, or EngineMismatch if the
    workers that are there have other versions.
    """
    check_certificates(address, "worker")
    recipe = recipe_of(await locate(environment.get("SEGUE_FFMPEG")))
    await _check_join(address, recipe)
    signalled = asyncio.create_task(_signalled())
    while not signalled.done():
        async with Nanny(
            address,
            nthreads=slots,
            resources={RESOURCE: slots},
            memory_limit=memory_limit,
            env={**environment},
            dashboard=False,
        ) as nanny:
            ready(str(nanny.worker_address))
            ended = asyncio.create_task(nanny.finished())
            await asyncio.wait([signalled, ended], return_when=asyncio.FIRST_COMPLETED)
            await nanny.close(timeout=STOP_S)
            await ended
        # The scheduler went away: wait for the next one.
        while not signalled.done() and not await _joins(address, recipe):
            await asyncio.wait([signalled], timeout=REJOIN_S)


async def _joins(address: str, recipe: str) -> bool:
    try:
        await _check_join(address, recipe)
    except EngineUnavailable:
        return False
    return True


async def _check_join(address: str, recipe: str) -> None:
    """Raise EngineMismatch if this machine would make other bytes than one that works there."""
    async with connection(address) as client:
        info = await client.scheduler.identity(n_workers=-1)
        for worker in list(info["workers"])[:1]:
            theirs = (await client.run(recipe_here, workers=[worker], on_error="return")).get(worker)
            if isinstance(theirs, str):  # one that is just going away tells nothing
                check_answer(theirs, recipe, worker)


async def _signalled() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()

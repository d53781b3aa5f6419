"""`--engine dask`: steps done by the workers of a Dask scheduler.

What is under way is bounded here, whatever the caller does; a future is released as soon as it is done. Nothing that
the scheduler or a worker holds is needed to go on: a lost step is submitted again, and what it had written has the name
of its contents.

A message costs the coordinator as much as several steps in it. So a scheduler of ours tells what has ended ten times a
second at most (`segue/engine_processes.py`), results that are there in one turn of the loop are fetched together, as
Dask does, and steps that are asked for in one turn go out together.
"""

import asyncio
import pickle
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import dask.config
from distributed import Client, KilledWorker
from distributed.client import ClosedClientError, FutureCancelledError
from distributed.comm import CommClosedError

from avtool.locate import locate
from ingest.work import Ingest
from model.errors import EngineMismatch, EngineUnavailable, UsageError, WorkersLost
from model.events import Observer, Stage, StageStarted
from packager.order import Packaging
from segue.config import Config
from segue.engine import scheduler_address
from segue.engine_kit import Kit, check_recipe, kit_of, recipe_of
from segue.engine_worker import Own, recipe_here, run_step

RESOURCE = "encode"  # a worker has as many as it may do steps at once
LOOK_S = 0.1
RETURN_S = 120.0  # how long to wait for a scheduler that went away
WORKERS_S = 60.0  # how long to wait for the first worker
TRIES_MAX = 5  # how often a step is submitted again after a scheduler was lost
WINDOW_PER_SLOT = 2  # steps under way for each that runs: nobody waits for the coordinator
_START_HINT = "start `segue scheduler`, and `segue worker` on every machine; see docs/operations.md, Many machines"
_AGAIN_HINT = "run the same command again: what is done is not done twice"

# Sampling the stacks of programs that wait for ffmpeg tells nobody anything; and of the messages that it sent, each end
# keeps the last 1,000 batches, 3 kB a step, for people who debug Dask.
dask.config.set({"distributed.worker.profile.enabled": False, "distributed.admin.low-level-log-length": 20})

Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class _Order:
    """A step that is to be done. `sent` ends when it went out, and from then on there is a `future`."""

    key: str
    step: bytes
    sent: asyncio.Future[None]
    future: Any = None


class _SchedulerLost(Exception):
    """Nobody knows any more of a step that was under way."""


class DaskEngine:
    """An `Engine` on the workers of a scheduler, at most `window` steps under way."""

    def __init__(self, client: Client, kit: Kit, window: int) -> None:
        self._client = client
        self._kit = kit
        self.window = window
        self._free = asyncio.Semaphore(window)
        self._orders: list[_Order] = []

    def submit(
        self, step: Callable[Given, Coroutine[Any, Any, Result]], /, *args: Given.args, **kwargs: Given.kwargs
    ) -> Awaitable[Result]:
        """What the step returns or raises, from whichever worker does it; see `Engine`."""
        return self._done(step.__name__, pickle.dumps((step, tuple(_own(each) for each in args), kwargs)))

    async def _done(self, name: str, step: bytes) -> Any:
        async with self._free:
            for _ in range(TRIES_MAX):
                try:
                    return await self._once(name, step)
                except _SchedulerLost:
                    await self._returned()
            raise EngineUnavailable("the scheduler was lost again and again", hint=_AGAIN_HINT)

    async def _once(self, name: str, step: bytes) -> Any:
        order = self._ordered(name, step)
        try:
            await order.sent
            return await order.future
        except KilledWorker as error:
            hint = "see the workers' logs: killed for memory, most often; then run the same command again"
            raise WorkersLost("every worker that tried it ended", subject=name, hint=hint) from error
        except (FutureCancelledError, ClosedClientError) as error:
            raise _SchedulerLost from error
        except OSError as error:
            if order.future.status == "error":  # the step's own; else its result could not be fetched
                raise
            raise _SchedulerLost from error
        except asyncio.CancelledError:
            if order.future is not None:
                await asyncio.shield(self._client.cancel([order.future], force=True))
            raise
        finally:
            if order.future is not None:
                order.future.release()

    def _ordered(self, name: str, step: bytes) -> _Order:
        """Have a step sent at the end of this turn of the loop, with all others that are asked for in it."""
        loop = asyncio.get_running_loop()
        if not self._orders:
            loop.call_soon(self._send)
        order = _Order(key=f"{name}-{uuid.uuid4().hex}", step=step, sent=loop.create_future())
        self._orders.append(order)
        return order

    def _send(self) -> None:
        orders = [order for order in self._orders if not order.sent.cancelled()]
        self._orders.clear()
        if not orders:
            return
        try:
            futures = self._client.map(
                run_step,
                [order.step for order in orders],
                key=[order.key for order in orders],
                pure=False,
                resources={RESOURCE: 1},
                kit=self._kit,
            )
        except ClosedClientError as error:
            for order in orders:
                order.sent.set_exception(error)
            return
        for order, future in zip(orders, futures, strict=True):
            order.future = future
            order.sent.set_result(None)

    async def _returned(self) -> None:
        """Wait until the client has a scheduler again."""
        for _ in range(round(2 * RETURN_S / LOOK_S)):
            if self._client.status != "connecting":
                break
            await asyncio.sleep(LOOK_S)
        if self._client.status != "running":
            raise EngineUnavailable("the scheduler went away and did not come back", hint=_AGAIN_HINT)


@asynccontextmanager
async def connected(config: Config, observer: Observer, *, again: bool, jobs: int | None) -> AsyncIterator[DaskEngine]:
    """An engine on the scheduler that was named, whose workers have our versions. `jobs` is its window; None: twice
    what the workers that are there can do at once."""
    address = scheduler_address(config)
    recipe = recipe_of(await locate(config["ffmpeg"] or None))
    async with connection(address) as client:
        slots = await _slots(client, address)
        for worker, theirs in (await client.run(recipe_here, on_error="return")).items():
            if not isinstance(theirs, CommClosedError):  # it just went away; each step checks again
                check_answer(theirs, recipe, worker)
        topic = f"segue-{uuid.uuid4().hex}"
        client.subscribe_topic(topic, lambda event: _tell(observer, event))
        kit = kit_of(config, again=again, recipe=recipe, topic=topic)
        yield DaskEngine(client, kit, jobs or WINDOW_PER_SLOT * slots)


@asynccontextmanager
async def connection(address: str) -> AsyncIterator[Client]:
    """A client of the scheduler. Raises EngineUnavailable, or UsageError if it has no certificate."""
    check_certificates(address, "client")
    patience: Any = dask.config.get("distributed.comm.timeouts.connect")
    try:
        client = await Client(address, asynchronous=True, timeout=patience, set_as_default=False)
    except (OSError, TimeoutError) as error:
        message = f"no scheduler answered in {patience} ({error})"
        raise EngineUnavailable(message, subject=address, hint=_START_HINT) from error
    client._timeout = RETURN_S  # from now on it is how long it tries to come back
    try:
        yield client
    finally:
        await client.close()


def check_certificates(address: str, role: str) -> None:
    """Raise UsageError if the address is `tls://` and Dask's settings name no certificates for this role."""
    if address.startswith("tls://"):
        for setting in ("ca-file", f"{role}.cert"):
            if not dask.config.get(f"distributed.comm.tls.{setting}"):
                name = f"DASK_DISTRIBUTED__COMM__TLS__{setting.upper().replace('-', '_').replace('.', '__')}"
                hint = f"set {name} to a file in PEM form; see docs/operations.md, Many machines"
                raise UsageError(f"no certificate for tls://: {name}", hint=hint)


def check_answer(theirs: object, ours: str, worker: str) -> None:
    """Raise EngineMismatch unless a worker answered with our recipe."""
    if not isinstance(theirs, str):
        hint = "run `segue doctor` there, and start its worker with `segue worker`"
        raise EngineMismatch(f"the worker cannot tell its versions ({theirs})", subject=worker, hint=hint)
    check_recipe(theirs, ours, subject=worker)


async def _slots(client: Client, address: str) -> int:
    """How many steps the workers can do at once. Raises EngineUnavailable if there are none for too long."""
    for _ in range(round(WORKERS_S)):
        info = await client.scheduler.identity(n_workers=-1)
        workers = info["workers"].values()
        slots = sum(int(worker["resources"].get(RESOURCE, 0)) for worker in workers)
        if slots:
            return slots
        await asyncio.sleep(1.0)
    raise EngineUnavailable("the scheduler has no workers of ours", subject=address, hint=_START_HINT)


def _own(value: object) -> object:
    if isinstance(value, Ingest):
        return Own.INGEST
    return Own.PACKAGING if isinstance(value, Packaging) else value


def _tell(observer: Observer, event: tuple[float, Any]) -> None:
    subject, stage = event[1]
    observer.notify(StageStarted(subject=subject, stage=Stage(stage)))

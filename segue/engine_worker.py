"""In a Dask worker: one loop and one workshop for all its steps, as in a process that runs them itself."""

import asyncio
import pickle
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from distributed import get_worker

from avtool.locate import locate
from catalog.ledger import Ledger
from model.events import Event, Observer, StageStarted
from segue.config import load
from segue.engine_kit import Kit, check_recipe, recipe_of
from segue.wiring import Workshop, workshop

LOOK_S = 0.5  # how often a step looks whether it is still wanted

Step = Callable[..., Coroutine[Any, Any, Any]]


class Own(Enum):
    """Stands among a step's arguments for what every worker has of its own."""

    INGEST = auto()
    PACKAGING = auto()


async def recipe_here() -> str:
    """The recipe of this machine, with the ffmpeg that it would use."""
    return recipe_of(await locate(load({})["ffmpeg"] or None))


def run_step(order: bytes, *, kit: Kit) -> Any:
    """Do a step in this worker: pickled, its function, arguments and keyword arguments.

    Called in a thread for each; ends early when the step is not wanted any more.
    """
    step, args, kwargs = pickle.loads(order)
    worker = get_worker()
    key = worker.get_current_task()
    relay = _Relay(lambda told: worker.log_event(kit.topic, told), worker.address)
    done = asyncio.run_coroutine_threadsafe(_room().do(kit, step, args, kwargs, relay), _room().loop)
    while True:
        try:
            return done.result(timeout=LOOK_S)
        except TimeoutError:
            if done.done():
                raise  # the step's own
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                done.cancel()


@dataclass(frozen=True, slots=True)
class _Relay:
    """The observer of a worker: tells the coordinator. How far within a stage would be too much for the scheduler."""

    log: Callable[[list[str]], None]
    address: str

    def notify(self, event: Event) -> None:
        """Pass on which stage a source is in."""
        if isinstance(event, StageStarted):
            self.log([event.subject, event.stage.value])


@dataclass(slots=True)
class _Open:
    """A workshop that steps of one kit share."""

    shop: Workshop
    closing: AsyncExitStack
    users: int = 0


@dataclass(slots=True)
class _Room:
    """The loop that all steps of this process run in, on a thread of its own, and what is open for them."""

    loop: asyncio.AbstractEventLoop
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    shops: dict[Kit, _Open] = field(default_factory=dict)

    async def do(self, kit: Kit, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any], relay: _Relay) -> Any:
        """What the step returns. It has a ledger that knows nothing: the coordinator's alone is kept."""
        shop = await self._entered(kit, relay)
        try:
            with Ledger() as ledger:
                own = {Own.INGEST: replace(shop.shop.ingest, ledger=ledger), Own.PACKAGING: shop.shop.packaging}
                return await step(*[own[each] if isinstance(each, Own) else each for each in args], **kwargs)
        finally:
            shop.users -= 1

    async def _entered(self, kit: Kit, relay: _Relay) -> _Open:
        async with self.opening:
            shop = self.shops.get(kit)
            if shop is None:
                shop = self.shops[kit] = await _opened(kit, relay, address=relay.address)
            shop.users += 1
            for earlier in [each for each, other in self.shops.items() if not other.users]:
                await self.shops.pop(earlier).closing.aclose()
            return shop


async def _opened(kit: Kit, observer: Observer, *, address: str) -> _Open:
    config = load({**kit.flags, "engine": "local"})
    async with AsyncExitStack() as stack:
        shop = await stack.enter_async_context(workshop(config, observer, again=kit.again, ledger=Ledger()))
        check_recipe(recipe_of(shop.tool), kit.recipe, subject=address)
        return _Open(shop, stack.pop_all())


_ROOMS: list[_Room] = []
_MAKING = threading.Lock()


def _room() -> _Room:
    """That of this process."""
    with _MAKING:
        if not _ROOMS:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="segue-steps", daemon=True).start()
            _ROOMS.append(_Room(loop))
        return _ROOMS[0]

"""What is trained, as steps of an engine: here, or on a worker."""

import asyncio
from collections.abc import Mapping

from discovery.recommend.judge import Judged, Split, judge
from discovery.recommend.model import Model
from discovery.recommend.plays import Plays
from discovery.recommend.recipe import Known, TrainSettings
from discovery.recommend.train import train


async def trained(plays: Plays, settings: TrainSettings, catalog: Mapping[str, Known]) -> Model:
    """See `train`, in a thread."""
    return await asyncio.to_thread(train, plays, settings, catalog)


async def tried(split: Split, settings: TrainSettings) -> Judged:
    """What a model with these settings finds of what was hidden."""

    def work() -> Judged:
        model = train(split.plays, settings, {})
        return judge(model.all_recommended, split)

    return await asyncio.to_thread(work)

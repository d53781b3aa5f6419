"""What to play after something: what the model that was trained says, else what sounds alike, is of its genre or by
chance."""

from collections.abc import Callable, Sequence

from discovery.recommend.service import LIMIT_MAX, Recommender
from discovery.sequence.mixer import Mixer
from discovery.sequence.wish import SEEDS_MAX, Wish


class Similar:
    """Songs that go with others. Blocks for a moment."""

    def __init__(self, recommender: Callable[[], Recommender], mixer: Mixer) -> None:
        self._recommender = recommender
        self._mixer = mixer

    def to(self, track_ids: Sequence[str], count: int) -> list[str]:
        """At most `count` tracks that go with at least one of some live ones, none of these, what fits best first."""
        seeds = tuple(track_ids[:SEEDS_MAX])
        recommender = self._recommender()
        model = recommender.model
        known = [each for each in seeds if model is not None and each in model.items]
        lists = [[row.track_id for row in recommender.similar(each, min(count, LIMIT_MAX))] for each in known]
        found = {each: None for place in range(LIMIT_MAX) for each in (one[place] for one in lists if place < len(one))}
        if not found:
            mix = self._mixer.mix(Wish(track_ids=seeds), count + len(seeds))
            found = dict.fromkeys(placed.item.track_id for placed in mix)
        return [each for each in found if each not in seeds][:count]

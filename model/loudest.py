"""The loudest places of a recording: what encoders make of them tells what they make of the whole. Pure arithmetic."""

from collections.abc import Mapping

PLACES_PER_UNIT = 15  # a place is 1,024 samples, as a frame of AAC, a unit of the timeline 15,360
PLACES_MAX = 6
NEAR_DB = 1.0  # below the highest peak: what is softer seldom decides
_DECIMALS = 3  # what differs by less is as high: rounding to 24 bits moves peaks, too

Loudest = tuple[tuple[int, float], ...]  # numbers of places, and their true peaks in dBTP


def loudest(places: Mapping[int, float]) -> Loudest:
    """Of places and their true peaks the highest of each unit, and of these the highest few that are near the highest
    of all, the first where several are as high; in their order."""
    highest = [(round(peak_dbtp, _DECIMALS), -place) for place, peak_dbtp in places.items()]
    units: dict[int, tuple[float, int]] = {}
    for each in highest:
        unit = -each[1] // PLACES_PER_UNIT
        units[unit] = max(units.get(unit, each), each)
    near_dbtp = max(units.values())[0] - NEAR_DB if units else 0.0
    chosen = sorted((each for each in units.values() if each[0] > near_dbtp), reverse=True)[:PLACES_MAX]
    return tuple(sorted((-place, peak_dbtp) for peak_dbtp, place in chosen))

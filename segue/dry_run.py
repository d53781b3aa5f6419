"""What a batch would do, how long it would take and how much it would write; nothing is touched."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from catalog.ledger import SourceStamp
from ingest.plan import Group, Planned
from ingest.scan import printable
from segue.output import Output
from segue.wiring import Workshop

# CPU seconds for a second of audio, on one core of a small cloud machine: benchmarks/bench_publish.py, bench_ingest.py.
HEAR_COST = 0.008
NORMALISE_COST = 0.02
ENCODE_COST = 0.014  # for each rendition, measured and verified
MEZZANINE_BPS = 800_000  # 24-bit FLAC of music at −14 LUFS
UNKNOWN_SECONDS = 240.0  # what is taken for a source whose tags do not tell


class Need(StrEnum):
    """What a source needs, as far as the ledger tells without reading it."""

    NEW = "new"
    CHANGED = "changed"
    KNOWN = "known"
    REFUSED = "refused before"


async def tell_plan(shop: Workshop, groups: Sequence[Group], output: Output, *, jobs: int, publish: bool) -> None:
    """One line for each source, and the sums."""
    needs: Counter[Need] = Counter()
    work_s = 0.0
    for group in groups:
        for each in group.members:
            need = await asyncio.to_thread(_need, shop, each)
            needs[need] += 1
            seconds = each.seconds or UNKNOWN_SECONDS
            work_s += seconds if need in (Need.NEW, Need.CHANGED) else 0.0
            output.data(
                {
                    "event": "planned",
                    "source": each.source.name,
                    "need": need.value,
                    "seconds": each.seconds,
                    "album": group.album,
                }
            )
            output.text(f"{need:15}{_clock(each.seconds):>9}  {printable(each.source.path)}")
    rates = (*shop.packaging.settings.aac_bitrates_bps, *shop.packaging.settings.opus_bitrates_bps) if publish else ()
    cost = HEAR_COST + NORMALISE_COST + ENCODE_COST * len(rates)
    size = work_s * (MEZZANINE_BPS + sum(rates)) / 8
    counts = {need.value.replace(" ", "_"): needs[need] for need in Need}
    estimate = {"audio_s": round(work_s, 1), "estimated_s": round(work_s * cost / jobs), "estimated_bytes": round(size)}
    output.data({"event": "plan", **counts, **estimate})
    output.say(", ".join(f"{needs[need]} {need}" for need in Need))
    output.say(
        f"to do: {work_s / 3600:.1f} h of audio, about {_clock(work_s * cost / jobs).strip()} with {jobs} jobs, "
        f"about {size / 1e9:.2f} GB in the store"
    )


def _need(shop: Workshop, planned: Planned) -> Need:
    try:
        stamp = SourceStamp.of(planned.source.path)
    except OSError:
        return Need.NEW
    row = shop.ingest.ledger.last(stamp.path)
    if row is None:
        return Need.NEW
    if row.stamp != stamp.text:
        return Need.CHANGED
    if row.refusal is not None:
        return Need.REFUSED
    return Need.KNOWN if row.track_id else Need.NEW


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

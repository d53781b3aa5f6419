"""Listeners, caches and origins of the plan, as tables. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scripts.scale_che import Ranks, Tier, chain
from scripts.scale_inputs import DAY_S, MONTH_S, Inputs
from scripts.scale_tables import dollars, percent, short, table

_TB = 1e12
TIERS = (("edge", "edges", "edge_tb"), ("shield", "shields", "shield_tb"),
         ("origin, memory", "", "origin_memory_tb"), ("origin, disk", "", "origin_disk_tb"))  # fmt: skip


def renditions(inputs: Inputs) -> tuple[Ranks, ...]:
    """All renditions by how often they are asked for, with their sizes in bytes."""
    return tuple(
        replace(group, rate=group.rate * rung.listened, size=inputs.bytes_of(rung.bps))
        for rung in inputs.rungs.values()
        for group in inputs.catalogue()
    )


def tiers(inputs: Inputs, *, scale: float = 1.0) -> list[Tier]:
    """The tiers behind each other; `scale` makes all of them larger or smaller."""
    return chain(renditions(inputs), [scale * inputs[name] * _TB for _, _, name in TIERS])


def caches(inputs: Inputs) -> str:
    """What each tier answers, at the sizes that are planned, a quarter of them and four times."""
    ladder = inputs.bytes_of(inputs.ladder_bps) * inputs["tracks"]
    found = {scale: tiers(inputs, scale=scale) for scale in (0.25, 1.0, 4.0)}
    rows = []
    left = 1.0
    for number, (name, count, size) in enumerate(TIERS):
        places = inputs[count] if count else 1.0
        tier = found[1.0][number]
        # T is in units of one over the rate of all plays that reach all such places together.
        keeps_days = tier.keeps / (inputs.plays_per_month / places / MONTH_S) / DAY_S
        left *= 1.0 - tier.hits
        rows.append(
            (
                name,
                f"{places:.0f}" if count else "",
                short(inputs[size] * _TB, "B"),
                percent(inputs[size] * _TB / ladder),
                *(percent(found[scale][number].hits) for scale in (0.25, 1.0, 4.0)),
                percent(left),
                f"{24 * keeps_days:.1f} h",
            )
        )
    return table(
        ("tier", "places", "each has", "of all ladders", "hits at a quarter", "**hits**", "at four times",
         "left of all requests", "keeps what nobody asks for"),
        rows,
    )  # fmt: skip


def serving(inputs: Inputs) -> str:
    """What reaches each tier in the busiest hour."""
    segments = inputs.at_peak / inputs["segment_s"]
    bits = inputs.at_peak * inputs.heard_bps
    left = [1.0]
    for tier in tiers(inputs):
        left.append(left[-1] * (1.0 - tier.hits))
    blocks = left[4] * bits / 8 / inputs.read_bytes
    busy, gbps = inputs["origin_core_busy"], inputs["origin_core_gbps"]
    hot, cold = segments * left[2] * inputs["hot_us"] / 1e6, blocks * inputs["block_read_us"] / 1e6
    all_hot = segments * inputs["hot_us"] / 1e6 / busy
    month = MONTH_S / inputs["peak_of_mean"]  # of seconds as busy as the peak
    ratio = inputs.segment_reads / inputs["play_reads"]
    sent = bits / 8 * month / 1e9 * inputs["egress_gb"]
    rows = [
        ("listeners at once", short(inputs.at_peak), ""),
        ("a listener", f"{inputs.heard_bps / 1000:.0f} kbit/s", f"a segment every {inputs['segment_s']} s"),
        *(
            (f"reach {where}", f"{short(segments * share)} segments/s", short(bits * share, "bit/s"))
            for where, share in zip(("the edges", "the shields", "the origin"), left, strict=False)
        ),
        ("reach the store", f"{short(blocks)} blocks/s", short(left[4] * bits, "bit/s")),
        ("cores of the origin, by CPU", f"{(hot + cold) / busy:,.0f}", f"{hot:.0f} send, {cold:.0f} read"),
        ("the same, by network", f"{bits * left[2] / 1e9 / gbps / busy:,.0f}", f"{gbps:g} Gbit/s for a core"),
        ("the same with no cache before it, by CPU", f"{all_hot:,.0f}", "all of it hot"),
        ("reads of the store in a month", short(blocks * month), dollars(blocks * month / 1000 * inputs["get_1000"])),
        (
            "the same with one object for a segment",
            short(blocks * month * ratio),
            dollars(blocks * month * ratio / 1000 * inputs["get_1000"]),
        ),
        ("to listeners in a month", short(bits / 8 * month, "B"), dollars(sent)),
        ("of that, for each kbit/s of a listener", "", dollars(sent / inputs.heard_bps * 1000)),
    ]  # fmt: skip
    return table(("at the peak", "", ""), rows)


def measured_caches(simulation: Mapping[str, Any]) -> str:
    """Hits of one cache by policy and size: libcachesim's, and Che's for an LRU."""
    names = [name for name in simulation["policies"][0] if name not in ("exponent", "share")]
    rows = [
        (f"{row['exponent']}", percent(row["share"]), *(percent(row[name]) for name in names))
        for row in simulation["policies"]
    ]
    return table(("Zipf", "of the catalogue", *names), rows)


def tiers_simulated(simulation: Mapping[str, Any]) -> str:
    """Hits of tiers behind each other, by policy, and Che's for LRUs."""
    catalogue = simulation["catalogue"]
    heads = [f"{name} ({percent(share)})" for name, share in zip(catalogue["names"], catalogue["shares"], strict=True)]
    rows = []
    for row in simulation["tiers"]:
        for name, hits in row.items():
            if name != "exponent":
                rows.append((f"{row['exponent']}", name, *(percent(each) for each in hits)))
    return table(("Zipf", "policy", *heads), rows)

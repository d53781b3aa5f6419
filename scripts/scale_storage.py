"""Bytes, objects, encodes and limits of the plan, as tables. Pure."""

from collections.abc import Iterator
from math import exp

from scripts.scale_inputs import DAY_S, Inputs
from scripts.scale_tables import dollars, short, table

_GB = 1e9
_PAGE_KEYS = 1_000
_SEGMENT_HEADS = 2  # an init section, and a playlist of it
_FILE_BYTES = 10e9  # that a machine copies, checks and moves within minutes
_MEMORY_BYTES = 4e9


def storage(inputs: Inputs) -> str:
    """What is kept, by rung."""
    rows = [*((name, rung.bps) for name, rung in inputs.rungs.items())]
    rows += [("nine rungs", inputs.ladder_bps), ("mezzanine", inputs["mezzanine_bps"])]
    rows += [("records, playlists, covers", inputs["records_bps"])]
    total = inputs.ladder_bps + inputs["mezzanine_bps"] + inputs["records_bps"]

    def row(name: str, bps: float) -> tuple[str, ...]:
        size = inputs.bytes_of(bps)
        whole = size * inputs["tracks"]
        price = dollars(whole / _GB * inputs["gb_month"])
        return name, f"{bps / 1000:,.0f}", short(size, "B"), short(whole, "B"), price

    return table(
        ("", "kbit/s", "a track", "all tracks", "a month"),
        [row(name, bps) for name, bps in rows] + [row("**all**", total)],
    )


def layouts(inputs: Inputs) -> str:
    """One object for each rendition against one for each segment."""
    segments = inputs["track_s"] / inputs["segment_s"]
    other = inputs["objects_other"] + inputs["objects_track"]
    rungs = len(inputs.rungs)
    designs = (
        ("a rendition", rungs + other, inputs["play_reads"]),
        ("a segment", rungs * (segments + _SEGMENT_HEADS - 1) + other, inputs.segment_reads),
    )
    return table(
        ("one object for", "objects of a track: one PUT each", "all", "PUTs cost", "pages to list them",
         "to list them once", "GETs of a play that nobody cached", "a billion such plays"),
        [
            (
                name,
                f"{objects:,.0f}",
                short(objects * inputs["tracks"]),
                dollars(objects * inputs["tracks"] / 1000 * inputs["put_1000"]),
                short(objects * inputs["tracks"] / _PAGE_KEYS),
                dollars(objects * inputs["tracks"] / _PAGE_KEYS / 1000 * inputs["put_1000"]),
                f"{reads:,.0f}",
                dollars(reads * 1e9 / 1000 * inputs["get_1000"]),
            )
            for name, objects, reads in designs
        ],
    )  # fmt: skip


def encoding(inputs: Inputs) -> str:
    """Cores, and what their time costs."""
    per_track_s = inputs["publish_cpu_s_per_min"] * inputs["track_s"] / 60
    works = (
        ("all tracks, once", inputs["tracks"], inputs["backlog_days"]),
        ("what is new, day by day", inputs["new_tracks_per_day"], 1.0),
    )
    rows = []
    for name, tracks, days in works:
        cpu_s = tracks * per_track_s
        cores = cpu_s / (days * DAY_S * inputs["fleet_busy_share"])
        jobs_per_s = tracks / (days * DAY_S)
        price = dollars(cpu_s / 3600 / inputs["fleet_busy_share"] * inputs["core_hour"])
        rows.append((name, f"{days:g}", short(cpu_s / 3600), f"{cores:,.0f}", f"{jobs_per_s:.2g}", price))
    return table(("", "days", "core hours", "cores", "tracks a second", "price"), rows)


def encode_price(inputs: Inputs) -> float:
    """What it costs to make the ladder of one track from its mezzanine, in dollars."""
    cpu_s = inputs["package_cpu_s_per_min"] * inputs["track_s"] / 60
    read = inputs.bytes_of(inputs["mezzanine_bps"]) / _GB * inputs["gb_read_cold"]
    return cpu_s / 3600 / inputs["fleet_busy_share"] * inputs["core_hour"] + read


def worth_days(inputs: Inputs, bps: float) -> float:
    """How many days of keeping the ladder but for `bps` of it cost as much as making it again."""
    kept = inputs.bytes_of(inputs.ladder_bps - bps) / _GB * inputs["gb_month"] / 30
    return encode_price(inputs) / kept


def on_demand(inputs: Inputs) -> str:
    """What a month costs if the ladder of the first so many tracks is always kept, and that of the others is dropped
    when nobody asked for it for as long as an encode is worth."""
    rung = inputs.rungs["aac-128"].bps
    days = worth_days(inputs, rung)
    rest = inputs.bytes_of(inputs.ladder_bps - rung) / _GB * inputs["gb_month"]
    always = inputs.bytes_of(rung) / _GB * inputs["gb_month"]
    cold = inputs.bytes_of(inputs["mezzanine_bps"]) / _GB
    rows: list[tuple[str, ...]] = []
    every = inputs["tracks"]
    for kept, near in ((every, every), (every, 10e6), (30e6, 30e6), (10e6, 10e6), (1e6, 1e6)):
        stored, encodes = kept, 0.0
        for count, plays in _tail(inputs, kept):
            missed = exp(-plays * days / 30)  # of plays: it was dropped, for nobody came for so many days
            stored += count * (1.0 - missed)
            encodes += count * plays * missed
        ladders = stored * rest + always * every
        mezzanines = cold * (near * inputs["gb_month"] + (every - near) * inputs["gb_month_cold"])
        price = encodes * encode_price(inputs)
        rows.append(
            (
                short(kept),
                short(near),
                dollars(ladders),
                dollars(mezzanines),
                short(encodes) if encodes >= 1 else "0",
                dollars(price),
                dollars(ladders + mezzanines + price),
                f"{1e6 * encodes / inputs.plays_per_month:.1f}",
            )
        )
    rows.append((f"dropped after {days:.0f} days", *[""] * 7))
    return table(
        ("ladders always kept", "mezzanines at hand", "ladders", "mezzanines", "encodes", "their price", "**a month**",
         "of a million plays find one rung"),
        rows,
    )  # fmt: skip


def _tail(inputs: Inputs, kept: float) -> Iterator[tuple[float, float]]:
    """Groups of tracks beyond the first `kept`: how many, and the plays of each in a month."""
    before = 0.0
    for group in inputs.catalogue():
        before += group.count
        beyond = min(group.count, max(0.0, before - kept))
        if beyond:
            yield beyond, group.rate * inputs.plays_per_month


def limits(inputs: Inputs) -> str:
    """Where it breaks: what a design takes for each track, for all of them, and how many it bears."""
    tracks, page_s = inputs["tracks"], inputs["page_s"]
    pages = 2 * tracks / _PAGE_KEYS
    core_s = inputs["publish_cpu_s_per_min"] * inputs["track_s"] / 60
    blocks = inputs.at_peak * inputs.heard_bps / 8 / inputs.read_bytes
    walk_price = pages / 1000 * inputs["put_1000"]
    steps_per_track = 4  # read tags, hear, make the mezzanine, package

    def timed(name: str, each_ms: float, within_s: float, within: str) -> tuple[str, ...]:
        """A row of what takes time for each track."""
        hours = tracks * each_ms / 3.6e6
        return name, f"{each_ms:.2g} ms", f"{hours:,.1f} h", f"{_two(within_s * 1000 / each_ms)} tracks in {within}"

    def kept(name: str, each: float, limit: float) -> tuple[str, ...]:
        """A row of what takes room for each track."""
        return name, f"{each:g} B", short(tracks * each, "B"), f"{_two(limit / each)} tracks in {short(limit, 'B')}"

    def coordinated(name: str, step_ms: float) -> tuple[str, ...]:
        """A row of what takes time for each step of a batch."""
        track_ms = steps_per_track * step_ms
        cores = f"{_two(1000 / track_ms * core_s)} cores that encode"
        return name, f"{steps_per_track} × {step_ms:g} ms", f"{tracks * track_ms / 3.6e6:,.0f} h", cores

    rows = [
        timed("listing `tracks/`, one page after the other", 2 * page_s, 60, "a minute"),
        timed("the same, 32 prefixes at once", 2 * page_s / 32, 60, "a minute"),
        ("the same: its price", "", dollars(walk_price), f"each minute: {dollars(walk_price * 43_200)} a month"),
        timed("sync without news: CPU", inputs["sync_cpu_ms"], 60, "a minute"),
        timed("sync into an empty catalog: CPU", inputs["first_sync_cpu_ms"], 3600, "an hour"),
        timed("a finished batch run again: CPU", inputs["again_cpu_ms"], 3600, "an hour"),
        kept("catalog, one SQLite file", inputs["catalog_bytes"], _FILE_BYTES),
        kept("ledger, one SQLite file", inputs["ledger_bytes"], _FILE_BYTES),
        kept("search index, one file in memory", inputs["search_bytes"], _MEMORY_BYTES),
        kept("plan of a batch, a temporary file", inputs["plan_bytes"], _FILE_BYTES),
        coordinated("coordinator of a batch", inputs["job_cpu_ms"]),
        coordinated("its scheduler", inputs["scheduler_cpu_ms"]),
        (
            "reads of one prefix, nothing cached",
            f"{inputs['prefix_gets']:,.0f}/s",
            f"{_two(blocks)}/s at the peak",
            f"{_two(inputs['prefix_gets'] / blocks * inputs.at_peak)} listeners at once",
        ),
        (
            "checking tokens: CPU",
            f"{inputs['token_us']:g} µs",
            f"{inputs.at_peak / inputs['segment_s'] * inputs['token_us'] / 1e6:,.0f} cores at the peak",
            "does not: any machine that has the key can",
        ),
    ]
    return table(("what", "for a track", "all tracks", "breaks at"), rows)


def _two(value: float) -> str:
    """Two digits that count, for limits are no sharper."""
    places = len(f"{value:.0f}") - 2
    return f"{round(value, -max(0, places)):,.0f}"

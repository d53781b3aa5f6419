"""What an operator may tune of the origin. Every limit has its unit in its name."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from origin.cmsd import NODE_NAME
from origin.tokens import TokenKey

KIB = 1024
MIB = 1024 * KIB
NOT_FOUND_KEPT_S = 5  # the max-age of a 404


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskCacheSettings:
    """Where media is kept on disk, and how many bytes each process may keep there; `processes` share `folder`."""

    folder: Path
    bytes_max: int
    processes: int = 1


class Auth(StrEnum):
    """Who needs a token for what is served, keys aside: they always need one."""

    NONE = "none"  # nobody: all may listen, or a cache in front asks for tokens and takes them off
    TOKEN = "token"  # everybody, and nobody but the origin asks: caches that are shared keep nothing
    EDGE = "edge"  # everybody, and the cache in front asks too, so it may keep what it gets


_AT_LEAST_ONE = (
    "access_log_every",
    "backlog", "connections_max", "requests_max", "fetches_max", "waiters_max", "send_buffer_bytes", "store_reads_max",
    "read_ahead_bytes", "write_bytes_max",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginSettings:
    """Settings of one origin process; caches and limits are per process.

    Answers must start within the tightest client's patience: Fastly waits 15 s for a first byte, hls.js 10 s.
    """

    host: str = "127.0.0.1"
    port: int = 8080  # 0: any free port
    backlog: int = 1024
    keepalive_timeout_s: float = 150.0  # CDNs keep idle connections up to 120 s; closing first would lose requests
    drain_s: float = 25.0
    lame_duck_s: float = 0.0  # how long /readyz says 503 before the port closes, for health-checking balancers
    idle_grace_s: float = 1.0  # silence after which a connection between two requests may be closed

    connections_max: int = 4096
    requests_max: int = 2048  # in progress; slow readers of track files count
    fetches_max: int = 256  # reads of the store, or waits for one: four times `store_reads_max`
    waiters_max: int = 2048  # requests that wait for those
    head_timeout_s: float = 10.0  # for a request's head to be whole, from its first byte
    reader_window_s: float = 20.0  # an answer that waits for its client is looked at over this time,
    reader_bytes_per_s_min: int = 1024  # and has to move on this fast; 24 kbit/s is the least that plays
    send_buffer_bytes: int = 128 * KIB  # asked of the kernel, for each connection; it takes about twice as much
    sweep_s: float = 1.0  # how often connections are looked at

    line_bytes_max: int = 8190
    header_bytes_max: int = 8190
    headers_max: int = 64
    head_bytes_max: int = 32 * KIB  # all header fields of a request together
    body_bytes_max: int = 1024

    store_deadline_s: float = 8.0
    store_reads_max: int = 64  # reads of the store at one time
    store_block_s: float = 60.0  # and for all of a block of media, however it trickles
    store_failure_memory_s: float = 10.0  # how long a failure of the store counts, if no answer follows
    probe_every_s: float = 2.0  # how often /readyz of an origin that holds nothing asks the store
    probe_wait_s: float = 0.8  # what /readyz waits for that: balancers give it a second
    retry_after_s: int = 2

    pointer_ttl_s: float = 4.0  # what may change is renewed in the second half of it, while it is still served
    pointers_max: int = 20_000
    stale_if_error_s: float = 86_400.0  # how old it may be where the store fails
    stale_wait_s: float = 1.0  # how long a listener waits for the store where there is something old to serve
    stale_retry_s: float = 2.0  # after a failure, until the store is asked anew
    negative_ttl_s: float = 3.0  # what the store says is not there; at most what a 404's Cache-Control says
    negatives_max: int = 10_000
    media_cache_bytes: int = 256 * MIB  # init sections and segments
    picture_cache_bytes: int = 32 * MIB  # cover art
    package_cache_bytes: int = 64 * MIB  # package records and rendered playlists
    ready_cache_bytes: int = 16 * MIB  # answers ready to be sent, without the media of segments; 0: none
    joined_cache_bytes: int = 32 * MIB  # segments of joined tracks, beside what they are cut from
    joined_documents_bytes: int = 32 * MIB  # and their playlists
    joined_tracks_max: int = 1000  # of a list that becomes one stream; what comes after them is left out,
    joined_seconds_max: int = 86_400  # and what comes after so much of it
    joined_deadline_s: float = 60.0  # to gather the packages of a list; who waits is told to come again before
    answer_cache_bytes: int = 4 * MIB  # answers of the API in every coding
    read_ahead_bytes: int = 16 * MIB  # of a track file in one read of the store
    disk_cache: DiskCacheSettings | None = None
    write_bytes_max: int = 64 * KIB

    auth: Auth = Auth.NONE
    token_keys: tuple[TokenKey, ...] = ()  # any of them may have signed a token
    token_salt: str = field(default="", repr=False)
    tokens_kept_max: int = 4096  # tokens whose signature need not be checked again

    node_name: str = ""  # told in CMSD-Static; of letters, digits, dots, dashes and underscores
    access_log_every: int = 1  # one line for so many good answers; errors always have one
    log_listeners: bool = False  # whether log lines have clients' addresses and players' session ids
    metrics_folder: Path | None = None  # where workers that share a port keep their counters, to be added up

    player_root: Path | None = None
    player_bytes_max: int = 16 * MIB

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port must be 0 to 65535, got {self.port}")
        for name in (
            "store_deadline_s",
            "store_block_s",
            "joined_deadline_s",
            "keepalive_timeout_s",
            "drain_s",
            "head_timeout_s",
            "reader_window_s",
            "sweep_s",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.negative_ttl_s <= NOT_FOUND_KEPT_S:
            raise ValueError(f"negative_ttl_s must be 0 to {NOT_FOUND_KEPT_S}, got {self.negative_ttl_s}")
        if self.auth is not Auth.NONE and not self.token_keys:
            raise ValueError("without a key to check tokens with, nobody could be let in")
        if not NODE_NAME.fullmatch(self.node_name):
            raise ValueError(
                f"node_name is at most 64 letters, digits, dots, dashes and underscores, got {self.node_name!a}"
            )
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

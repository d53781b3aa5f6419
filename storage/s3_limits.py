"""What a store on an S3 service may use, and how long it may try."""

from dataclasses import dataclass, field

from storage.retry import RetryPolicy

PART_BYTES_MIN = 5 << 20  # S3's


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Limits:
    """What one store may use. A `put` holds `part_bytes` in memory, a `read` at most `read_bytes_max`.

    `connections` are for `read` and `open`; all else has one for each of the `threads`. `connect_timeout_s` and
    `read_timeout_s` are for one wait at the socket. A `read`, and the entering of `open`, end within `retry.total_s`;
    after `failures_in_a_row_max` of them that failed they fail at once, see Breaker (None: each tries for itself).
    """

    threads: int = 16
    connections: int = 64
    read_bytes_max: int = 64 << 20
    part_bytes: int = 16 << 20
    page_entries: int = 1000
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    failures_in_a_row_max: int | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if (
            min(self.threads, self.connections, self.read_bytes_max, self.page_entries) < 1
            or self.part_bytes < PART_BYTES_MIN
        ):
            raise ValueError(f"limits too small to work with: {self}")

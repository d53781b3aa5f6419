"""How often the API may be asked: a token bucket for each client and group of operations, in bounded memory.

A client is a listener, else the place that it comes from. Addresses are not kept: what stands for one here is a hash
under a key that this process made for itself and forgets when it ends. Each process counts by itself.
"""

import hashlib
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from discovery.operations import Group
from model.errors import RateLimited

CLIENTS_MAX = 20_000  # buckets that are kept, about 300 bytes each; the one that was used longest ago gives way
_NETWORK_BITS = 64  # of an IPv6 address: what one customer has
KEY_FAILURES = "key-failures"  # the group of what was sent with a key that is none


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and so many more each second."""

    burst: int
    per_s: float


RATES: Mapping[str, Rate] = MappingProxyType(
    {
        Group.READ: Rate(300, 50.0),
        Group.SEARCH: Rate(120, 20.0),
        Group.WRITE: Rate(60, 5.0),
        Group.EVENTS: Rate(60, 5.0),
        Group.HEAVY: Rate(20, 0.5),
        Group.SIGN_UP: Rate(10, 0.05),
        KEY_FAILURES: Rate(20, 0.2),
    }
)


@dataclass(slots=True)
class _Bucket:
    """What was left at a time."""

    left: float
    at_s: float


class Rates:
    """The buckets. `factor` makes all rates higher or lower; at 0 there are none."""

    def __init__(
        self, factor: float = 1.0, *, clients_max: int = CLIENTS_MAX, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._factor = factor
        self._clients_max = clients_max
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._secret = secrets.token_bytes(32)

    def take(self, group: str, client: str) -> None:
        """Count one more of a client. Raises RateLimited."""
        self._refill(group, client, need=1.0, take=1.0)

    def check(self, group: str, client: str) -> None:
        """Raises RateLimited if the next `take` would; counts nothing."""
        self._refill(group, client, need=1.0, take=0.0)

    @property
    def remembered(self) -> int:
        """How many buckets there are."""
        return len(self._buckets)

    def place_of(self, address: str) -> str:
        """What stands for an address: the same for all addresses of an IPv6 network."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            named = address.encode()
        else:
            if isinstance(parsed, ipaddress.IPv6Address):
                parsed = parsed.ipv4_mapped or ipaddress.IPv6Network((parsed, _NETWORK_BITS), strict=False)[0]
            named = parsed.packed
        return hashlib.blake2b(named, key=self._secret, digest_size=12).hexdigest()

    def _refill(self, group: str, client: str, *, need: float, take: float) -> None:
        if not self._factor:
            return
        rate, now_s = RATES[group], self._clock()
        burst, per_s = max(1.0, rate.burst * self._factor), rate.per_s * self._factor
        bucket = self._buckets.setdefault((group, client), _Bucket(burst, now_s))
        self._buckets.move_to_end((group, client))
        bucket.left = min(burst, bucket.left + (now_s - bucket.at_s) * per_s)
        bucket.at_s = now_s
        if len(self._buckets) > self._clients_max:
            self._buckets.popitem(last=False)
        if bucket.left < need:
            raise RateLimited("too many requests of this kind", retry_after_s=(need - bucket.left) / per_s)
        bucket.left -= take

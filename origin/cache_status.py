"""What the origin's own tiers did for an answer, as `Cache-Status` (RFC 9211) and `Age` (RFC 9111). Pure."""

from enum import IntEnum
from math import inf

CACHE = "segue"


class Tier(IntEnum):
    """Where something was found, the nearest first."""

    MEMORY = 0
    DISK = 1
    NEGATIVE = 2  # known not to be there


class Trace:
    """Collects what happened while one answer was made. Of several steps the farthest is told, and the greatest age.

    An answer for which the store was asked is no hit, even if most of it was in memory.
    """

    __slots__ = ("_age_s", "_collapsed", "_detail", "_forward", "_status", "_tier", "_ttl_s")

    def __init__(self) -> None:
        self._tier: Tier | None = None
        self._forward = ""  # why the store was asked, if it was
        self._collapsed = True  # whether every question to the store was somebody else's already
        self._status = 0  # of a question that failed
        self._detail = ""
        self._age_s: float | None = None
        self._ttl_s: float | None = None

    def hit(self, tier: Tier, *, age_s: float | None = None, ttl_s: float | None = None) -> None:
        """Found. Where it may change, `age_s` is the time since the store confirmed it, `ttl_s` how much longer it is
        fresh: below 0 if it is past its time."""
        self._tier = tier if self._tier is None else max(tier, self._tier)
        self._grow(age_s, ttl_s)

    def asked(self, *, stale: bool = False, collapsed: bool = False) -> None:
        """The store is asked, for this request or (`collapsed`) for an earlier one; `stale`: what is known is too
        old."""
        self._forward = "stale" if stale or self._forward == "stale" else "uri-miss"
        self._collapsed = self._collapsed and collapsed

    def failed(self, status: int, code: str, *, age_s: float, ttl_s: float) -> None:
        """The store was asked anew, but what was known has to do; `status` stands for its failure."""
        self._status, self._detail = status, code
        self._grow(age_s, ttl_s)

    @property
    def lasts_s(self) -> float:
        """For how long the headers would say the same of another such request; 0 if this was no hit in memory."""
        if self._forward or (self._tier or Tier.MEMORY) is not Tier.MEMORY:
            return 0.0
        if self._age_s is None:
            return inf
        return max(0.0, min(1 - self._age_s % 1, inf if self._ttl_s is None else self._ttl_s))

    def headers(self, status: int) -> dict[str, str]:
        """The headers of an answer with this status; none if no tier was looked into."""
        if not self._forward and self._tier is None:
            return {}
        if status >= 400:
            return {"Cache-Status": self._text(stored=status == 404, kept=False)}
        text = {"Cache-Status": self._text(stored=True, kept=True)}
        return text if self._age_s is None else text | {"Age": str(int(self._age_s))}

    def _grow(self, age_s: float | None, ttl_s: float | None) -> None:
        if age_s is not None:
            self._age_s = max(age_s, self._age_s or 0.0)
        if ttl_s is not None:
            self._ttl_s = ttl_s if self._ttl_s is None else min(ttl_s, self._ttl_s)

    def _text(self, *, stored: bool, kept: bool) -> str:
        """`stored`: what the store said, if it was asked, is known now; `kept`: the answer shows what was known."""
        words = [CACHE]
        if self._forward:
            words.append(f"fwd={self._forward}")
            if self._status:
                words.append(f"fwd-status={self._status}")
            elif stored:
                words.append("stored")
            if self._collapsed:
                words.append("collapsed")
        else:
            assert self._tier is not None
            words.append("hit")
        if kept and self._ttl_s is not None and self._ttl_s < 0:
            words.append(f"ttl={int(self._ttl_s // 1)}")
        if self._detail or not self._forward:
            words.append(f"detail={self._detail or (self._tier or Tier.MEMORY).name.lower()}")
        return "; ".join(words)
